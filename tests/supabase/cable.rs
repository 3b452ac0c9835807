//! A cable between two programs, which can be cut.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Copies bytes between whoever connects and an address, until it is cut.
pub(crate) struct Cable {
    pub(crate) address: SocketAddr,
    is_whole: watch::Sender<bool>,
}

impl Cable {
    pub(crate) async fn to(address: SocketAddr) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let (is_whole, watched) = watch::channel(true);
        drop(tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                drop(tokio::spawn(carry(near, address, watched.clone())));
            }
        }));
        Arc::new(Self { address: here, is_whole })
    }

    /// Lets no byte through any more, and says nothing of it.
    pub(crate) fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    /// What is connected from now on gets through.
    pub(crate) fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

/// One connection. When the cable was cut it stays as it is, silent, for good.
async fn carry(near: TcpStream, address: SocketAddr, mut cut: watch::Receiver<bool>) {
    let Ok(far) = TcpStream::connect(address).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let both = async { tokio::join!(copy(near_read, far_write), copy(far_read, near_write)) };
    let is_cut = async { drop(cut.wait_for(|is_whole| !is_whole).await) };
    let mut both = pin!(both);
    tokio::select! {
        biased;
        () = is_cut => std::future::pending().await,
        _ = &mut both => {}
    }
}

async fn copy(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

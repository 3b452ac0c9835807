//! A cable between two programs, which can be cut, and worse.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Copies bytes between whoever connects and an address, until something happens to it.
pub(crate) struct Cable {
    pub(crate) address: SocketAddr,
    state: watch::Sender<State>,
}

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// No byte gets through, and nothing says so.
    Cut,
    /// Questions get through, answers don't.
    Deaf,
    /// Every question gets this answer.
    Refusing(&'static str),
}

impl Cable {
    pub(crate) async fn to(address: SocketAddr) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let (state, watched) = watch::channel(State::Whole);
        drop(tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                drop(tokio::spawn(carry(near, address, watched.clone())));
            }
        }));
        Arc::new(Self { address: here, state })
    }

    /// Lets no byte through any more, and says nothing of it.
    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Lets what is asked through and keeps what is answered.
    pub(crate) fn deafen(&self) {
        self.state.send_replace(State::Deaf);
    }

    /// Answers every request itself.
    pub(crate) fn refuse(&self, answer: &'static str) {
        self.state.send_replace(State::Refusing(answer));
    }

    /// What is connected from now on gets through.
    pub(crate) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

/// One connection. What happened to it stays so, for good.
async fn carry(mut near: TcpStream, address: SocketAddr, mut state: watch::Receiver<State>) {
    let now = *state.borrow();
    if let State::Refusing(answer) = now {
        let mut question = vec![0; 64 * 1024];
        while let Ok(Ok(1..)) =
            tokio::time::timeout(Duration::from_millis(20), near.read(&mut question)).await
        {}
        drop(near.write_all(answer.as_bytes()).await);
        return;
    }
    let Ok(far) = TcpStream::connect(address).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let mut hearing = state.clone();
    let answers = async {
        let deaf = async { drop(hearing.wait_for(|state| *state == State::Deaf).await) };
        tokio::select! {
            biased;
            () = deaf => pending().await,
            () = copy(far_read, near_write) => {}
        }
    };
    let both = async { tokio::join!(copy(near_read, far_write), answers) };
    let ends = |state: &State| !matches!(state, State::Whole | State::Deaf);
    let is_over = async { state.wait_for(ends).await.is_ok_and(|state| *state == State::Cut) };
    let mut both = pin!(both);
    let is_cut = tokio::select! {
        biased;
        is_cut = is_over => is_cut,
        _ = &mut both => false,
    };
    if is_cut {
        pending::<()>().await;
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

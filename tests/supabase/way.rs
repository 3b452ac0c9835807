//! The two ways to a database, so that one body tests both; and a cable that can be cut.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dunlin_sync::postgres::Address;
use dunlin_sync::transport::{AnyDatabase, PostgresDatabase, RestDatabase, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::database::Database;
use crate::gateway::{Gateway, SECRET_KEY};

/// Long enough for everything that is expected to work.
pub(crate) const PATIENT: Timeouts =
    Timeouts { connect: Duration::from_secs(10), call: Duration::from_secs(30) };
/// For what is expected to take too long.
pub(crate) const HASTY: Timeouts = Timeouts { connect: Duration::from_secs(1), call: Duration::from_secs(1) };

/// A way to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through a gateway, as `service_role`.
    Rest,
    /// By the database's own protocol, as `dunlin_worker`.
    Postgres,
}

/// A database that is reached one way.
pub(crate) struct Reached {
    /// What is called.
    pub(crate) database: AnyDatabase,
    /// The role that calls.
    pub(crate) role: &'static str,
    cable: Arc<Cable>,
    _gateway: Option<Gateway>,
}

impl Way {
    /// Both.
    pub(crate) const BOTH: [Self; 2] = [Self::Rest, Self::Postgres];

    /// Reaches a migrated database this way.
    pub(crate) async fn reach(self, database: &Database, timeouts: Timeouts) -> Reached {
        match self {
            Self::Rest => {
                let gateway = Gateway::in_front_of(database).await;
                let cable = Cable::to(gateway.address).await;
                let rest = rest(cable.address, SECRET_KEY, timeouts);
                Reached { database: rest, role: "service_role", cable, _gateway: Some(gateway) }
            }
            Self::Postgres => {
                let owner = database.owner().await;
                owner.batch_execute("alter role dunlin_worker login").await.unwrap();
                let cable = Cable::to(SocketAddr::from(([127, 0, 0, 1], database.port()))).await;
                let worker =
                    postgres(&database.url_of("dunlin_worker", Some(cable.address.port())), timeouts);
                Reached { database: worker, role: "dunlin_worker", cable, _gateway: None }
            }
        }
    }
}

impl Reached {
    /// Lets no byte through any more, and says nothing of it.
    pub(crate) fn cut(&self) {
        self.cable.is_whole.send_replace(false);
    }

    /// What is connected from now on gets through.
    pub(crate) fn mend(&self) {
        self.cable.is_whole.send_replace(true);
    }
}

/// A project reached with a key.
pub(crate) fn rest(address: SocketAddr, key: &str, timeouts: Timeouts) -> AnyDatabase {
    AnyDatabase::Rest(RestDatabase::new(&format!("http://{address}"), &key.into(), timeouts).unwrap())
}

/// A database reached by its own protocol.
pub(crate) fn postgres(url: &str, timeouts: Timeouts) -> AnyDatabase {
    AnyDatabase::Postgres(Box::new(PostgresDatabase::new(Address::parse(url).unwrap(), timeouts)))
}

/// Copies bytes between whoever connects and an address, until it is cut.
struct Cable {
    address: SocketAddr,
    is_whole: watch::Sender<bool>,
}

impl Cable {
    async fn to(address: SocketAddr) -> Arc<Self> {
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
        _ = &mut both => {}
        () = is_cut => std::future::pending().await,
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

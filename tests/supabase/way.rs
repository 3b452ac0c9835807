//! The two ways to a database, so that one body tests both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_sync::postgres::Address;
use dunlin_sync::transport::{AnyDatabase, PostgresDatabase, RestDatabase, Timeouts};

use crate::cable::Cable;
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

/// A way for a daemon: what it is told, and the cable that it goes through.
pub(crate) struct Route {
    variables: Vec<(&'static str, String)>,
    pub(crate) cable: Arc<Cable>,
    _gateway: Option<Gateway>,
}

impl Way {
    /// A way for a daemon to a migrated database. Through the database's own protocol it looks rarely, and must be woken.
    pub(crate) async fn route(self, database: &Database) -> Route {
        let owner = database.owner().await;
        owner.batch_execute("alter role dunlin_worker login").await.unwrap();
        match self {
            Self::Rest => {
                let gateway = Gateway::in_front_of(database).await;
                let cable = Cable::to(gateway.address).await;
                let variables = vec![
                    ("SUPABASE_URL", format!("http://{}", cable.address)),
                    ("SUPABASE_SECRET_KEY", SECRET_KEY.to_owned()),
                    ("DUNLIN_SYNC_POLL", "200ms".to_owned()),
                ];
                Route { variables, cable, _gateway: Some(gateway) }
            }
            Self::Postgres => {
                let cable = Cable::to(SocketAddr::from(([127, 0, 0, 1], database.port()))).await;
                let url = database.url_of("dunlin_worker", Some(cable.address.port()));
                let variables = vec![("SUPABASE_DB_URL", url), ("DUNLIN_SYNC_POLL", "30s".to_owned())];
                Route { variables, cable, _gateway: None }
            }
        }
    }
}

impl Route {
    /// What a daemon is told to go this way.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// The same, with more.
    pub(crate) fn with<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        [&self.variables(), more].concat()
    }
}

impl Reached {
    /// Lets no byte through any more, and says nothing of it.
    pub(crate) fn cut(&self) {
        self.cable.cut();
    }

    /// What is connected from now on gets through.
    pub(crate) fn mend(&self) {
        self.cable.mend();
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

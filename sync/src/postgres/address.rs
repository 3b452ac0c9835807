//! The address of a database: `SUPABASE_DB_URL`, read once, and never shown with its password.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Longest address that is read, in bytes.
const BYTES_MAX: usize = 4096;
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be silent before the other side is asked whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
/// How long it has to answer, each of three times.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How long what was sent may stay without an answer from the other side's network.
const UNHEARD_MAX: Duration = Duration::from_secs(30);
/// Where Supabase's poolers are.
const POOLERS: &str = ".pooler.supabase.com";
/// The port of poolers that give each transaction another connection.
const TRANSACTION_POOLER_PORT: u16 = 6543;

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Not at all: the database is on this machine, or `sslmode=disable` asks for it.
    Off,
    /// TLS with a certificate that is checked; against the file that `sslrootcert` names, or what this machine trusts.
    Verified {
        /// Certificates in PEM.
        roots: Option<PathBuf>,
    },
}

/// Where a database is, and how to get in.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
}

/// The text is no address. It is not quoted: it holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a URL of a database.
    #[error(
        "it does not start with postgresql:// or postgres://, or has more than {BYTES_MAX} bytes; the project's page has it under Connect"
    )]
    NotOne,
    /// Something in it can't be read.
    #[error("it can't be read: {0}; characters such as @ : / in a password are written as %40 %3A %2F")]
    Unreadable(String),
    /// A mode of protection that there is not.
    #[error("sslmode={0} is not understood; expected disable, or require, which checks the certificate too")]
    Mode(String),
    /// No database is named.
    #[error("it names no host or no user; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE")]
    Incomplete,
}

impl Address {
    /// Reads `postgresql://USER:PASSWORD@HOST[:PORT]/DATABASE[?sslmode=...&sslrootcert=PATH]`.
    ///
    /// Certificates are always checked, unlike libpq's `sslmode=require`, which would tell the password to
    /// whoever stands between. Without `sslmode`, a database on this machine is reached without TLS.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let is_url = text.starts_with("postgresql://") || text.starts_with("postgres://");
        if !is_url || text.len() > BYTES_MAX {
            return Err(AddressError::NotOne);
        }
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let mut mode = None;
        let mut roots = None;
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => roots = Some(PathBuf::from(value.as_ref())),
                _ => drop(rest.append_pair(&name, &value)),
            }
        }
        let rest = rest.finish();
        let url = if rest.is_empty() { place.to_owned() } else { format!("{place}?{rest}") };
        let mut config: Config = url.parse().map_err(|error| AddressError::Unreadable(reason(&error)))?;
        if config.get_hosts().is_empty() || config.get_user().is_none() {
            return Err(AddressError::Incomplete);
        }
        let is_here = config.get_hosts().iter().all(is_this_machine);
        let tls = match mode.as_deref() {
            Some("disable") => Tls::Off,
            None | Some("prefer" | "allow") if is_here => Tls::Off,
            None | Some("prefer" | "allow" | "require" | "verify-ca" | "verify-full") => {
                Tls::Verified { roots }
            }
            Some(other) => return Err(AddressError::Mode(other.chars().take(32).collect())),
        };
        config.ssl_mode(if tls == Tls::Off { SslMode::Disable } else { SslMode::Require });
        config.connect_timeout(CONNECT_TIMEOUT).application_name("dunlin");
        config.keepalives_idle(KEEPALIVE_IDLE).keepalives_interval(KEEPALIVE_INTERVAL).keepalives_retries(3);
        config.tcp_user_timeout(UNHEARD_MAX);
        Ok(Self { config, tls })
    }

    /// Whether it is that of a pooler that gives each transaction another connection, so that nothing of a session lasts.
    pub fn is_pooled_by_transaction(&self) -> bool {
        self.config.get_ports().contains(&TRANSACTION_POOLER_PORT)
    }

    /// The database's name for who connects: a pooler's users are written `USER.PROJECT`.
    pub fn role(&self) -> &str {
        let user = self.config.get_user().unwrap_or_default();
        let is_pooled = |host: &Host| matches!(host, Host::Tcp(name) if name.ends_with(POOLERS));
        if self.config.get_hosts().iter().any(is_pooled) {
            user.rsplit_once('.').map_or(user, |(role, _project)| role)
        } else {
            user
        }
    }

    /// How the connection is protected.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgresql://{}@", self.config.get_user().unwrap_or_default())?;
        for (place, host) in self.config.get_hosts().iter().enumerate() {
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            let ports = self.config.get_ports();
            write!(f, ":{}", ports.get(place).or(ports.first()).unwrap_or(&5432))?;
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
    }
}

/// What was wrong, from the error's cause: its own words may quote the text.
fn reason(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| "its form".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_never_shown() {
        for text in [
            "postgresql://postgres.ref:s3cret@aws-0-eu.pooler.supabase.com:5432/postgres?sslmode=require",
            "postgres://dunlin_worker:s3cret@127.0.0.1/postgres",
        ] {
            let address = Address::parse(text).unwrap();
            assert!(!format!("{address} {address:?}").contains("s3cret"));
        }
        for wrong in [
            "postgresql://u:s3cret@host:port/db",
            "s3cret",
            "postgresql://u:s3cret@h/d?sslmode=x",
            "postgresql://u:s3cret@h/d?colour=red",
        ] {
            assert!(!Address::parse(wrong).unwrap_err().to_string().contains("s3cret"), "{wrong}");
        }
    }

    #[test]
    fn poolers_are_known_by_port_and_their_users_without_the_project() {
        let address = |text: &str| Address::parse(text).unwrap();
        let transaction =
            address("postgresql://dunlin_worker.ref:p@aws-0-eu.pooler.supabase.com:6543/postgres");
        assert_eq!((transaction.is_pooled_by_transaction(), transaction.role()), (true, "dunlin_worker"));
        let session = address("postgresql://postgres.ref:p@aws-0-eu.pooler.supabase.com:5432/postgres");
        assert_eq!((session.is_pooled_by_transaction(), session.role()), (false, "postgres"));
        let direct = address("postgresql://ada.l:p@db.ref.supabase.co/postgres");
        assert_eq!((direct.is_pooled_by_transaction(), direct.role()), (false, "ada.l"));
    }

    #[test]
    fn only_this_machine_is_reached_without_tls_unless_asked() {
        let tls = |text: &str| Address::parse(text).unwrap().tls().clone();
        assert_eq!(tls("postgresql://u@localhost/d"), Tls::Off);
        assert_eq!(tls("postgresql://u@[::1]/d"), Tls::Off);
        assert_eq!(tls("postgresql://u@10.0.0.1/d?sslmode=disable"), Tls::Off);
        for far in ["postgresql://u@10.0.0.1/d", "postgresql://u@db.x.supabase.co/d?sslmode=prefer"] {
            assert_eq!(tls(far), Tls::Verified { roots: None });
        }
        let roots = Some(PathBuf::from("/etc/prod ca.crt"));
        assert_eq!(tls("postgresql://u@h/d?sslrootcert=%2Fetc%2Fprod%20ca.crt"), Tls::Verified { roots });
        assert_eq!(tls("postgresql://u@localhost/d?sslmode=require"), Tls::Verified { roots: None });
        assert_eq!(
            Address::parse("postgresql://u@h/d?sslmode=x").unwrap_err(),
            AddressError::Mode("x".into())
        );
    }
}

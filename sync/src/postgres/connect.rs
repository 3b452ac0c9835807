//! A connection to a database.

use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Address, Tls};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It can't be reached, or it refuses.
    #[error("{address} can't be reached: {}", told(.source))]
    Refused {
        /// Where, without the password.
        address: String,
        /// What happened.
        source: tokio_postgres::Error,
    },
    /// The file of certificates is of no use.
    #[error("sslrootcert names {path}, which holds no certificates that can be read: {why}")]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// TLS can't be set up on this machine.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// The words of an error and of everything that caused it.
fn told(error: &tokio_postgres::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        words = format!("{words}: {next}");
        cause = next.source();
    }
    if words.contains("invalid peer certificate") {
        words.push_str(
            "; if it is the project's own, download it (Database settings, SSL) and add sslrootcert=PATH",
        );
    }
    words
}

/// A connection. It ends when this is dropped.
#[derive(Debug)]
pub struct Connection {
    /// Where statements go.
    pub client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Connects.
///
/// # Errors
/// [`ConnectError`], which names the address without its password.
pub async fn connect(address: &Address) -> Result<Connection, ConnectError> {
    connect_hearing(address, || ()).await
}

/// Connects, and calls `hear` whenever somebody notifies this session, and when the connection broke.
///
/// # Errors
/// [`ConnectError`], which names the address without its password.
pub async fn connect_hearing(
    address: &Address,
    hear: impl FnMut() + Send + 'static,
) -> Result<Connection, ConnectError> {
    let refused = |source| ConnectError::Refused { address: address.to_string(), source };
    match &address.tls {
        Tls::Off => {
            let (client, connection) = address.config.connect(NoTls).await.map_err(refused)?;
            Ok(Connection { client, driver: tokio::spawn(drive(connection, hear)) })
        }
        Tls::Verified { roots } => {
            let tls = MakeRustlsConnect::new(client_config(roots.as_ref())?);
            let (client, connection) = address.config.connect(tls).await.map_err(refused)?;
            Ok(Connection { client, driver: tokio::spawn(drive(connection, hear)) })
        }
    }
}

/// Moves bytes until the connection ends. Why it ended is told to whoever asks something next.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, mut hear: impl FnMut())
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if matches!(message, AsyncMessage::Notification(_)) {
            hear();
        }
    }
    hear();
}

fn client_config(roots: Option<&PathBuf>) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let Some(path) = roots else {
        return Ok(builder.with_platform_verifier()?.with_no_client_auth());
    };
    let wrong = |why: String| ConnectError::Roots { path: path.clone(), why };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(error.to_string()))?;
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(wrong(io::Error::from(io::ErrorKind::InvalidData).to_string()));
    }
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

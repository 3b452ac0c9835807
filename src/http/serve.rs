//! Connections: timed, counted, closed in an orderly way.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Limits on connections.
#[derive(Debug, Clone, Copy)]
pub struct ServeLimits {
    /// Most connections at once; further ones wait.
    pub connections: usize,
    /// Longest time to send a request's headers.
    pub headers_within: Duration,
    /// Longest time that open requests may take to end when stopping.
    pub end_within: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            headers_within: Duration::from_secs(10),
            end_within: Duration::from_secs(10),
        }
    }
}

/// Serves until `shutdown`, then lets open requests end.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.headers_within).max_buf_size(64 * 1024);
    let service = TowerToHyperService::new(router);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&room).acquire_owned() => place.map_err(io::Error::other)?,
            () = &mut shutdown => break,
        };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, or a connection gone before it was taken: wait and go on.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it began");
        }
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.end_within, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time; their callers can't know what became of them");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n";
    const PATIENCE: Duration = Duration::from_secs(10);

    struct Served {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        task: JoinHandle<io::Result<()>>,
    }

    async fn start(router: Router, connections: usize, headers_within: Duration) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = ServeLimits { connections, headers_within, end_within: Duration::from_millis(200) };
        let task = tokio::spawn(serve(listener, router, limits, async { drop(stopped.await) }));
        Served { address, stop, task }
    }

    fn greeting() -> Router {
        Router::new().route("/", get("hello"))
    }

    async fn ask(stream: &mut TcpStream) {
        stream.write_all(ASK).await.unwrap();
        answered(stream).await;
    }

    async fn answered(stream: &mut TcpStream) {
        let mut answer = [0_u8; 12];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }

    /// Reads until the other side hangs up.
    async fn hung_up(stream: &mut TcpStream) {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn headers_that_do_not_come_and_idle_connections_are_hung_up_on() {
        let served = start(greeting(), 8, Duration::from_millis(50)).await;
        let mut slow = TcpStream::connect(served.address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost: he").await.unwrap();
        hung_up(&mut slow).await;
        let mut idle = TcpStream::connect(served.address).await.unwrap();
        ask(&mut idle).await;
        hung_up(&mut idle).await;
    }

    #[tokio::test]
    async fn a_connection_too_many_waits_for_room() {
        let served = start(greeting(), 1, PATIENCE).await;
        let mut first = TcpStream::connect(served.address).await.unwrap();
        ask(&mut first).await;
        let mut second = TcpStream::connect(served.address).await.unwrap();
        let unanswered = tokio::time::timeout(Duration::from_millis(100), ask(&mut second)).await;
        assert!(unanswered.is_err());
        drop(first);
        answered(&mut second).await;
    }

    #[tokio::test]
    async fn stopping_ends_idle_connections_and_waits_only_so_long_for_others() {
        let never = Router::new().route("/", get(std::future::pending::<&'static str>));
        for (router, is_idle) in [(greeting(), true), (never, false)] {
            let served = start(router, 8, PATIENCE).await;
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            if is_idle {
                ask(&mut stream).await;
            } else {
                stream.write_all(ASK).await.unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            served.stop.send(()).unwrap();
            tokio::time::timeout(PATIENCE, served.task).await.unwrap().unwrap().unwrap();
            assert!(TcpStream::connect(served.address).await.is_err());
        }
    }
}

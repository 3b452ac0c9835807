//! A server that keeps requests and answers as told, byte by byte.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Listens until the test's runtime ends.
#[derive(Debug)]
pub(crate) struct Listener {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// Answers the nth request of every connection with the nth of `answers`, as it stands, and
    /// closes the connection after the last. An empty answer only closes.
    pub(crate) async fn start(answers: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::default();
        tokio::spawn(serve(listener, answers.into(), Arc::clone(&requests)));
        Self { port, requests }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many requests have come.
    pub(crate) fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The nth request, head and body.
    pub(crate) fn request(&self, number: usize) -> String {
        self.requests.lock().unwrap().get(number).cloned().unwrap_or_default()
    }
}

async fn serve(listener: TcpListener, answers: Arc<[String]>, requests: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, Arc::clone(&answers), Arc::clone(&requests)));
    }
}

async fn converse(mut stream: TcpStream, answers: Arc<[String]>, requests: Arc<Mutex<Vec<String>>>) {
    for answer in answers.iter() {
        let Some(request) = read_request(&mut stream).await else { return };
        requests.lock().unwrap().push(request);
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// One answer with this status line and JSON body, and its length in full.
pub(crate) fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one request to its end, if there is one.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(text);
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(_more) => {}
        }
    }
}

//! A lean HTTP/1.1 client: it shares the processor with what it measures, so it does next to nothing.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest head of an answer, in bytes.
const HEAD_MAX: usize = 16 * 1024;

/// One kept connection. Requests go one at a time.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// The newest answer, and nothing else between exchanges.
    answer: Vec<u8>,
}

/// What an answer's head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Bytes until the body begins.
    length: usize,
    body_length: usize,
}

/// An answer: its status and body.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(4096) })
    }

    /// Writes one request, all of it, and reads its answer.
    ///
    /// # Errors
    /// When the connection breaks, or the answer has no `Content-Length`.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let head = loop {
            if let Some(head) = head(&self.answer)? {
                break head;
            }
            if self.answer.len() > HEAD_MAX {
                return Err(malformed("its head is too long"));
            }
            self.more().await?;
        };
        let end = head.length.saturating_add(head.body_length);
        while self.answer.len() < end {
            self.more().await?;
        }
        let body = self.answer.get(head.length..end).unwrap_or_default();
        Ok(Answer { status: head.status, body })
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.answer).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection closed before the answer")),
            _read => Ok(()),
        }
    }
}

/// Writes a request with a JSON body, or none, after what `request` holds.
pub fn write_request(request: &mut Vec<u8>, method: &str, path: &str, headers: &str, body: &str) {
    for part in [method, " ", path, " HTTP/1.1\r\nhost: 127.0.0.1\r\n", headers] {
        request.extend_from_slice(part.as_bytes());
    }
    if !body.is_empty() {
        let length = body.len();
        let head = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
        request.extend_from_slice(head.as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body.as_bytes());
}

/// Asks for `path` once, on a connection of its own.
///
/// # Errors
/// As [`Connection::exchange`].
pub async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, Vec<u8>)> {
    let mut request = Vec::new();
    write_request(&mut request, "GET", path, "", "");
    let mut connection = Connection::open(address).await?;
    let answer = connection.exchange(&request).await?;
    Ok((answer.status, answer.body.to_vec()))
}

/// Reads the head of an answer; `None` while it is not complete.
fn head(answer: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = answer.get(..end).and_then(|head| std::str::from_utf8(head).ok());
    let mut lines = text.ok_or_else(|| malformed("its head is not text"))?.split("\r\n");
    let status =
        lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok());
    let status = status.ok_or_else(|| malformed("its first line has no status"))?;
    let given = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value.trim())
    });
    let body_length = match (given, status) {
        (Some(length), _) => {
            length.parse().map_err(|_not_a_length| malformed("its length is not a number"))?
        }
        (None, 204 | 304) => 0,
        (None, _) => return Err(malformed("it has no Content-Length")),
    };
    Ok(Some(Head { status, length: end.saturating_add(4), body_length }))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the answer can't be read: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_where_the_body_begins_and_ends() {
        let answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\nx: y\r\n\r\nhelloHTTP";
        let read = head(answer).unwrap().unwrap();
        assert_eq!(
            (read.status, &answer[read.length..read.length + read.body_length]),
            (202, b"hello".as_slice())
        );
        for cut in 0..read.length {
            assert_eq!(head(&answer[..cut]).unwrap(), None, "{cut}");
        }
        assert_eq!(head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap().body_length, 0);
    }

    #[test]
    fn an_answer_of_unknown_length_is_refused() {
        for wrong in
            ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "ICY 200 OK\r\n\r\n"]
        {
            assert!(head(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn requests_say_how_long_they_are() {
        let mut request = Vec::new();
        write_request(&mut request, "POST", "/v1/messages", "a: b\r\n", "{}");
        let text = String::from_utf8(request).unwrap();
        assert_eq!(
            text,
            "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\na: b\r\ncontent-type: application/json\r\n\
             content-length: 2\r\n\r\n{}"
        );
    }
}

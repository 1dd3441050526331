//! Just enough HTTP to see every byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing here takes as long; what does not happen in this time does not happen.
const LIMIT: Duration = Duration::from_secs(20);

/// One request on one connection.
pub(crate) struct Exchange<S = TcpStream> {
    stream: S,
    read: Vec<u8>,
}

impl Exchange {
    pub(crate) async fn open(at: SocketAddr, head: &str, body: &str) -> Self {
        let stream = TcpStream::connect(at).await.unwrap();
        Self::over(stream, head, body).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<S> {
    /// `head` is the request line without its version, and headers of their own lines.
    pub(crate) async fn over(mut stream: S, head: &str, body: &str) -> Self {
        let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
        let headers: String = headers
            .lines()
            .map(|line| format!("{}\r\n", line.trim()))
            .collect();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: keypool\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Reads until the head is there.
    pub(crate) async fn head(&mut self) {
        while !self.read.windows(4).any(|window| window == b"\r\n\r\n") {
            assert!(self.more().await > 0, "the connection ended in the head");
        }
    }

    /// Status and body, chunk sizes left in it.
    pub(crate) async fn answer(mut self) -> (u16, String) {
        while self.more().await > 0 {}
        let text = String::from_utf8(self.read).unwrap();
        let status = text
            .get(9..12)
            .unwrap_or_else(|| panic!("no status in {text:?}"))
            .parse()
            .unwrap();
        (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// The body as it came, to the connection's end.
    pub(crate) async fn rest(self) -> String {
        self.answer().await.1
    }

    async fn more(&mut self) -> usize {
        let read = self.stream.read_buf(&mut self.read);
        // A peer that ends TLS without saying so has ended it.
        tokio::time::timeout(LIMIT, read).await.unwrap().unwrap_or(0)
    }
}

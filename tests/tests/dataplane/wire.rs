//! A client that sees every byte, and remembers all of them for the canary scan.

// Each test file uses a part of it.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Nothing here takes as long; what does not happen in this time does not happen.
const LIMIT: Duration = Duration::from_secs(20);

/// Everything that clients were sent.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<u8>>>);

impl Seen {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    fn add(&self, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    seen: Seen,
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// Chunks joined.
    pub(crate) body: Vec<u8>,
    /// The body came to its proper end.
    pub(crate) whole: bool,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `code` of an error.
    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The code of an error event at the end of a stream, which must stand alone there.
    pub(crate) fn last_event_code(&self) -> String {
        let text = self.text();
        let mut events = text.trim_end().rsplit("\n\n");
        let last = events.next().unwrap_or_default();
        let Some(data) = last.trim_start().strip_prefix("data: ") else {
            return String::new();
        };
        let body: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Client {
    pub(crate) async fn connect(at: SocketAddr, seen: Seen) -> Self {
        Self {
            stream: TcpStream::connect(at).await.unwrap(),
            buffer: Vec::new(),
            seen,
        }
    }

    /// A client for which the kernel keeps next to nothing.
    pub(crate) async fn connect_small(at: SocketAddr, seen: Seen) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        Self {
            stream: socket.connect(at).await.unwrap(),
            buffer: Vec::new(),
            seen,
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends what the proxy may refuse to take.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// No more comes from this side.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    async fn more(&mut self) -> bool {
        let before = self.buffer.len();
        let read = tokio::time::timeout(LIMIT, self.stream.read_buf(&mut self.buffer));
        let more = matches!(read.await.expect("the proxy says nothing"), Ok(1..));
        self.seen.add(&self.buffer[before..]);
        more
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return Some(self.buffer.drain(..at + end.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The head of the next answer; none where the connection ends without one.
    pub(crate) async fn head(&mut self) -> Option<(u16, String)> {
        let head = String::from_utf8(self.until(b"\r\n\r\n").await?).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, head))
    }

    /// The next chunk; none for the last one, an error where the connection ended.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, ()> {
        let size = self.until(b"\r\n").await.ok_or(())?;
        let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
        while self.buffer.len() < size + 2 {
            if !self.more().await {
                return Err(());
            }
        }
        let bytes: Vec<u8> = self.buffer.drain(..size + 2).take(size).collect();
        Ok((size > 0).then_some(bytes))
    }

    /// The next answer, to its end.
    pub(crate) async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("an answer")
    }

    /// The next answer, if one comes before the connection ends.
    pub(crate) async fn try_reply(&mut self) -> Option<Reply> {
        let (status, head) = self.head().await?;
        let mut reply = Reply {
            status,
            head,
            body: Vec::new(),
            whole: true,
        };
        if let Some(length) = reply.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.buffer.len() < length && self.more().await {}
            reply.whole = self.buffer.len() >= length;
            let length = length.min(self.buffer.len());
            reply.body = self.buffer.drain(..length).collect();
            return Some(reply);
        }
        loop {
            match self.chunk().await {
                Ok(Some(bytes)) => reply.body.extend(bytes),
                Ok(None) => return Some(reply),
                Err(()) => {
                    reply.whole = false;
                    reply.body.append(&mut self.buffer);
                    return Some(reply);
                }
            }
        }
    }

    /// Everything that still comes until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.buffer)
    }
}

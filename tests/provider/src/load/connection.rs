//! One connection: writes the request, reads the answer, notes the times.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::reader::Reader;
use crate::clock::now_ns;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) tcp: TcpStream,
    request: Arc<[u8]>,
    written: usize,
    pub(super) reader: Reader,
    pub(super) busy: bool,
    pub(super) exchange: Exchange,
    stamps: Option<Stamps>,
}

/// The times of one exchange, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// When it should have started.
    pub(super) intended: u64,
    pub(super) started: u64,
    pub(super) first_event: u64,
    pub(super) first_content: u64,
    /// Delays of stamped events.
    pub(super) event_delays: Vec<u64>,
}

/// What readiness led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting,
    Answered,
    Failed(&'static str),
}

/// Reads send times out of a body; they may come in pieces.
#[derive(Debug, Default)]
struct Stamps(Vec<u8>);

impl Connection {
    pub(super) fn open(target: SocketAddr, request: Arc<[u8]>, stamped: bool) -> io::Result<Self> {
        let tcp = TcpStream::connect_timeout(&target, Duration::from_secs(5))?;
        tcp.set_nodelay(true)?;
        tcp.set_nonblocking(true)?;
        Ok(Self {
            tcp,
            request,
            written: 0,
            reader: Reader::default(),
            busy: false,
            exchange: Exchange::default(),
            stamps: stamped.then(Stamps::default),
        })
    }

    /// Sends the request.
    pub(super) fn start(&mut self, intended: Option<u64>) -> Progress {
        let now = now_ns();
        self.reader.restart();
        let mut event_delays = std::mem::take(&mut self.exchange.event_delays);
        event_delays.clear();
        self.exchange = Exchange {
            intended: intended.unwrap_or(now),
            started: now,
            event_delays,
            ..Exchange::default()
        };
        self.written = 0;
        self.busy = true;
        self.write()
    }

    fn write(&mut self) -> Progress {
        while self.written < self.request.len() {
            match self.tcp.write(&self.request[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Progress::Failed("write"),
            }
        }
        Progress::Waiting
    }

    /// Goes on after the connection became ready; `ended` when the other side has closed, too.
    pub(super) fn ready(&mut self, buffer: &mut [u8], ended: bool) -> Progress {
        if self.busy
            && self.written < self.request.len()
            && let Progress::Failed(what) = self.write()
        {
            return Progress::Failed(what);
        }
        loop {
            let n = match self.tcp.read(buffer) {
                Ok(0) if self.busy && self.reader.close() => return self.finish(),
                Ok(0) if self.busy => return Progress::Failed("closed before the end"),
                Ok(0) => return Progress::Failed("closed while idle"),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waiting,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Progress::Failed("read"),
            };
            if !self.busy {
                return Progress::Failed("bytes without a question");
            }
            let arrived = now_ns();
            let (stamps, delays) = (&mut self.stamps, &mut self.exchange.event_delays);
            let fed = self.reader.feed(&buffer[..n], |part| {
                if let Some(stamps) = stamps {
                    stamps.read(part, |sent| delays.push(arrived.saturating_sub(sent)));
                }
            });
            if fed.is_err() {
                return Progress::Failed("malformed answer");
            }
            if self.exchange.first_event == 0 && self.reader.body_bytes > 0 {
                self.exchange.first_event = arrived;
            }
            if self.exchange.first_content == 0 && self.reader.events >= 2 {
                self.exchange.first_content = arrived;
            }
            if self.reader.is_done() {
                return self.finish();
            }
            // A short read has emptied the socket; the next edge tells when there is more. An end that was told together with
            // these bytes is not told again.
            if n < buffer.len() && !ended {
                return Progress::Waiting;
            }
        }
    }

    fn finish(&mut self) -> Progress {
        self.busy = false;
        Progress::Answered
    }
}

impl Stamps {
    fn read(&mut self, part: &[u8], mut found: impl FnMut(u64)) {
        self.0.extend_from_slice(part);
        let (name, digits) = (crate::stamp::MEMBER.as_bytes(), crate::stamp::DIGITS);
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(&self.0[from..], name) {
            let start = from + at + name.len();
            let Some(text) = self.0.get(start..start + digits) else {
                from += at;
                self.0.drain(..from);
                return;
            };
            if let Some(sent) = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
                found(sent);
            }
            from = start + digits;
        }
        let keep = self.0.len().min(name.len() - 1).min(self.0.len() - from);
        self.0.drain(..self.0.len() - keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_in_pieces_of_any_size() {
        let event = |n: u64| format!("data: {{{}{n:020}\",\"x\":1}}\n\n", crate::stamp::MEMBER);
        let text = (1..=20).map(event).collect::<String>();
        for size in 1..80 {
            let (mut stamps, mut seen) = (Stamps::default(), Vec::new());
            text.as_bytes()
                .chunks(size)
                .for_each(|part| stamps.read(part, |sent| seen.push(sent)));
            assert_eq!(seen, (1..=20).collect::<Vec<_>>(), "pieces of {size}");
        }
    }
}

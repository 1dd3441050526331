//! A client's socket, which notes what happens on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::lint::Lint;
use super::pulse::{Phase, Pulse};

/// How much of a refused request is read away at most.
const LINGER_BYTES: usize = 256 * 1024;
/// How much is read ahead at most.
const AHEAD: usize = 16 * 1024;

/// The byte stream that hyper reads and writes.
pub(super) struct ClientIo {
    stream: TcpStream,
    pulse: Arc<Pulse>,
    lint: Lint,
    /// What came while a request was being answered and hyper read nothing.
    ahead: BytesMut,
    /// hyper asked for bytes and waits for them.
    waiting: bool,
    half_closed: bool,
    lingered: usize,
}

impl ClientIo {
    pub(super) fn new(stream: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self {
            stream,
            pulse,
            lint: Lint::new(),
            ahead: BytesMut::new(),
            waiting: false,
            half_closed: false,
            lingered: 0,
        }
    }

    fn written(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Pending => self.pulse.block(),
            Poll::Ready(_) => self.pulse.unblock(),
        }
        result
    }

    /// Sees that the client leaves. hyper reads no more while it has bytes of a next request, be it one stray line end, and would
    /// let the provider work for nobody.
    fn watch(&mut self, cx: &mut Context<'_>) {
        while self.ahead.len() < AHEAD {
            let mut bytes = [0; 1024];
            let mut bytes = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.stream).poll_read(cx, &mut bytes) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !bytes.filled().is_empty() => {
                    self.ahead.extend_from_slice(bytes.filled());
                }
                Poll::Ready(_) => return self.pulse.leave(),
            }
        }
    }

    /// Reads away what a refused client still sends: closing over unread bytes sends a reset, which can overtake the answer.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut waste = [0; 4096];
        while self.lingered < LINGER_BYTES {
            let mut waste = ReadBuf::new(&mut waste);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut waste))?;
            match waste.filled().len() {
                0 => break,
                read => self.lingered += read,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if this.ahead.is_empty() {
            let read = Pin::new(&mut this.stream).poll_read(cx, buf);
            this.waiting = read.is_pending();
            ready!(read)?;
        } else {
            let step = this.ahead.len().min(buf.remaining());
            buf.put_slice(&this.ahead.split_to(step));
            this.waiting = false;
        }
        let bytes = buf.filled().get(before..).unwrap_or_default();
        if !bytes.is_empty() {
            this.pulse.arrived();
            if let Some(flaw) = this.lint.feed(bytes) {
                this.pulse.flawed(flaw);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.written(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // hyper flushes whenever it is awake: the one place to hear that it is and does not read.
        if !this.waiting && this.pulse.phase() == Phase::Answering {
            this.watch(cx);
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.half_closed {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.half_closed = true;
        }
        if this.pulse.closing() {
            ready!(this.poll_linger(cx))?;
        }
        Poll::Ready(Ok(()))
    }
}

//! A transport under hyper's feet that can misbehave on command: say something before the head, say something else instead
//! of it, stop after a number of bytes, close or reset.
//!
//! hyper writes only well-formed HTTP; whatever is not is added or removed here. On the usual way it costs one atomic load
//! per write.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

use crate::record::Outcome;
use crate::scenario::CutHow;

/// A byte stream over TCP.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Closing the socket from now on sends RST.
pub(crate) fn reset_on_close(tcp: &TcpStream) {
    let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
}

/// Orders for one connection's transport.
#[derive(Debug, Default)]
pub(crate) struct WireControl {
    armed: AtomicBool,
    reset: AtomicBool,
    broken: AtomicBool,
    closed: AtomicBool,
    orders: Mutex<Orders>,
}

#[derive(Debug, Default)]
struct Orders {
    /// Written before anything else.
    prefix: Bytes,
    /// Nothing after the prefix is written.
    mute: bool,
    /// Bytes that may still be written.
    left: Option<u64>,
    /// How it ends when nothing may be written any more, or after the next flush.
    end: CutHow,
    /// End after the next flush.
    end_on_flush: bool,
}

impl Orders {
    /// The end that is due once everything written has left.
    fn due(&self) -> Option<CutHow> {
        (self.end_on_flush || self.left == Some(0)).then_some(self.end)
    }
}

impl WireControl {
    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.orders.lock());
        self.armed.store(true, Ordering::Release);
    }

    /// Forgets orders of an earlier exchange.
    pub(crate) fn disarm(&self) {
        if self.armed.swap(false, Ordering::AcqRel) {
            *self.orders.lock() = Orders::default();
        }
    }

    /// These bytes go before the next head.
    pub(crate) fn prefix(&self, bytes: Bytes) {
        self.order(|orders| orders.prefix = bytes);
    }

    /// These bytes go instead of the next head, then the connection ends.
    pub(crate) fn replace(&self, bytes: Bytes, end: CutHow) {
        self.order(|orders| {
            *orders = Orders {
                prefix: bytes,
                mute: true,
                end,
                end_on_flush: true,
                ..Orders::default()
            };
        });
    }

    /// Only so many bytes more.
    pub(crate) fn limit(&self, left: u64, end: CutHow) {
        self.order(|orders| (orders.left, orders.end) = (Some(left), end));
    }

    /// The end comes once everything written so far has left.
    pub(crate) fn end_on_flush(&self, end: CutHow) {
        self.order(|orders| (orders.end_on_flush, orders.end) = (true, end));
    }

    /// How an exchange ended that the client did not end.
    pub(crate) fn ended_by_us(&self) -> Option<Outcome> {
        if self.closed.load(Ordering::Acquire) {
            return Some(Outcome::Closed);
        }
        self.broken.load(Ordering::Acquire).then_some(Outcome::Cut)
    }

    /// The connection is being cut before a head.
    pub(crate) fn cut(&self, how: CutHow) {
        self.broken.store(true, Ordering::Release);
        self.reset.store(how == CutHow::Reset, Ordering::Release);
    }

    /// The connection is being closed by order; RST when `reset`.
    pub(crate) fn mark_closed(&self, reset: bool) {
        self.closed.store(true, Ordering::Release);
        self.reset.store(reset, Ordering::Release);
    }
}

/// The transport that takes the orders.
#[derive(Debug)]
pub(crate) struct Wire<T: Transport> {
    inner: T,
    control: Arc<WireControl>,
    grace: Option<Pin<Box<Sleep>>>,
}

/// A reset throws away what the other side has not acknowledged yet, and it may take 40 ms over that. For a cut to be where
/// the script has it, the reset comes this much later.
const BEFORE_RESET: Duration = Duration::from_millis(50);

impl<T: Transport> Wire<T> {
    pub(crate) fn new(inner: T, control: Arc<WireControl>) -> Self {
        Self {
            inner,
            control,
            grace: None,
        }
    }

    fn end(&mut self, cx: &mut Context<'_>, how: CutHow) -> Poll<io::Error> {
        match how {
            // Nothing wakes this again but the client's going away, which hyper sees on the reading side.
            CutHow::Stall => return Poll::Pending,
            CutHow::Reset => {
                let grace = self.grace.get_or_insert_with(|| Box::pin(sleep(BEFORE_RESET)));
                ready!(grace.as_mut().poll(cx));
                reset_on_close(self.inner.tcp());
            }
            CutHow::Close | CutHow::Clean => {}
        }
        self.control.broken.store(true, Ordering::Release);
        Poll::Ready(io::Error::new(io::ErrorKind::ConnectionAborted, "cut by script"))
    }

    fn write_by_order(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let control = self.control.clone();
        let mut orders = control.orders.lock();
        while !orders.prefix.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &orders.prefix))?;
            orders.prefix.advance(written);
        }
        if orders.mute {
            return Poll::Ready(Ok(buf.len()));
        }
        let Some(left) = orders.left else {
            return Pin::new(&mut self.inner).poll_write(cx, buf);
        };
        if left == 0 {
            ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
            return self.end(cx, orders.end).map(Err);
        }
        let most = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &buf[..most]))?;
        orders.left = Some(left - written as u64);
        Poll::Ready(Ok(written))
    }
}

impl<T: Transport> Drop for Wire<T> {
    fn drop(&mut self) {
        if self.control.reset.load(Ordering::Acquire) {
            reset_on_close(self.inner.tcp());
        }
    }
}

impl<T: Transport> AsyncRead for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: Transport> AsyncWrite for Wire<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.control.armed.load(Ordering::Acquire) {
            false => Pin::new(&mut self.inner).poll_write(cx, buf),
            true => self.write_by_order(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.control.armed.load(Ordering::Acquire) {
            let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
            return self.write_by_order(cx, first);
        }
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        if self.control.armed.load(Ordering::Acquire) {
            let end = self.control.orders.lock().due();
            if let Some(how) = end {
                return self.end(cx, how).map(Err);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

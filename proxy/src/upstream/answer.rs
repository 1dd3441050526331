//! The body of a provider's answer, with the connection that brings it.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::exchange::Live;

/// Reads an answer. When its end is reached, the connection goes back to the idle ones; dropped before, it is closed.
pub struct Answer {
    incoming: Incoming,
    live: Option<Live>,
    ended: bool,
}

/// The answer broke off before its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the provider's answer broke off")]
pub struct AnswerCut;

impl Answer {
    pub(super) fn new(incoming: Incoming, live: Live) -> Self {
        Self {
            incoming,
            live: Some(live),
            ended: false,
        }
    }

    /// Reads what is left, but no more than `limit` bytes; what is beyond is not read, and its connection not kept.
    ///
    /// # Errors
    /// The answer broke off.
    pub async fn gather(&mut self, limit: usize) -> Result<Bytes, AnswerCut> {
        let mut first: Option<Bytes> = None;
        let mut more = BytesMut::new();
        while let Some(frame) = self.frame().await {
            let Ok(mut data) = frame?.into_data() else {
                continue;
            };
            let have = first.as_ref().map_or(0, Bytes::len) + more.len();
            let over = (have + data.len()).checked_sub(limit);
            if over.is_some() {
                data.truncate(limit.saturating_sub(have));
            }
            match &first {
                None => first = Some(data),
                Some(_) => more.extend_from_slice(&data),
            }
            if over.is_some_and(|over| over > 0) {
                break;
            }
        }
        let first = first.unwrap_or_default();
        if more.is_empty() {
            return Ok(first);
        }
        let mut whole = BytesMut::with_capacity(first.len() + more.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&more);
        Ok(whole.freeze())
    }

    /// An answer without a body ends with its head.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        if self.incoming.is_end_stream() {
            self.end(cx);
        }
    }

    fn end(&mut self, cx: &mut Context<'_>) {
        self.ended = true;
        if let Some(live) = self.live.take() {
            live.recycle(cx);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = AnswerCut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerCut>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        // The connection is driven here and nowhere else, so the body's own waker would only wake this task twice.
        let mut unwoken = Context::from_waker(Waker::noop());
        for driven in [false, true] {
            match Pin::new(&mut this.incoming).poll_frame(&mut unwoken) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.settle(cx);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(None) => {
                    this.end(cx);
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(_))) => return this.cut(),
                Poll::Pending if driven => break,
                Poll::Pending => match &mut this.live {
                    Some(live) => live.drive(cx),
                    None => return this.cut(),
                },
            }
        }
        if this.live.as_ref().is_none_or(Live::is_over) {
            return this.cut();
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Answer {
    fn cut(&mut self) -> Poll<Option<Result<Frame<Bytes>, AnswerCut>>> {
        self.ended = true;
        self.live = None;
        Poll::Ready(Some(Err(AnswerCut)))
    }
}

//! What goes to the client as an answer's body.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};

use super::relay::Relay;
use crate::inbound::Pulse;
use crate::telemetry::{End, Record};
use crate::upstream::Frames;

/// The answer ends here, without its end: hyper drops the connection, and the client sees a broken transfer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the answer was cut")]
pub(crate) struct Cut;

/// An answer's body. When it is dropped, the connection waits for the next request.
pub(crate) struct ClientBody {
    kind: Kind,
    pulse: Arc<Pulse>,
}

enum Kind {
    /// All of it is here.
    Whole { bytes: Frames, record: Option<Record> },
    /// It comes from a provider.
    Relayed(Box<Relay>),
}

impl ClientBody {
    /// A body that is all here.
    pub(super) fn whole(bytes: Frames, record: Record, pulse: Arc<Pulse>) -> Self {
        let record = Some(record);
        Self {
            kind: Kind::Whole { bytes, record },
            pulse,
        }
    }

    /// No body, for nobody.
    pub(super) fn nothing(pulse: Arc<Pulse>) -> Self {
        let (bytes, record) = (Frames::default(), None);
        Self {
            kind: Kind::Whole { bytes, record },
            pulse,
        }
    }

    /// A body that comes from a provider.
    pub(super) fn relayed(relay: Relay, pulse: Arc<Pulse>) -> Self {
        Self {
            kind: Kind::Relayed(Box::new(relay)),
            pulse,
        }
    }
}

impl Body for ClientBody {
    type Data = Frames;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Frames>, Cut>>> {
        let this = &mut *self;
        match &mut this.kind {
            Kind::Whole { bytes, record } => {
                let bytes = std::mem::take(bytes);
                if let Some(mut record) = record.take() {
                    record.bytes_out(bytes.remaining() as u64);
                    record.end(End::Complete);
                }
                Poll::Ready(bytes.has_remaining().then_some(Ok(Frame::data(bytes))))
            }
            Kind::Relayed(relay) => relay.poll(cx, &this.pulse),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { bytes, .. } => !bytes.has_remaining(),
            Kind::Relayed(relay) => relay.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { bytes, .. } => SizeHint::with_exact(bytes.remaining() as u64),
            Kind::Relayed(_) => SizeHint::default(),
        }
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        // hyper asks a body without bytes for nothing: it went out whole.
        if let Kind::Whole { bytes, record } = &mut self.kind
            && !bytes.has_remaining()
            && let Some(record) = record.take()
        {
            record.end(End::Complete);
        }
        self.pulse.idle();
    }
}

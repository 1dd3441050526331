//! A committed answer on its way to the client: bytes untouched, read on the side.
//!
//! What can be read at once is written at once, in one piece, and nothing that is there waits for more. The provider is read no faster
//! than the client takes, because hyper asks for the next piece only when it has room. An answer that breaks off gets, if it is a stream of events,
//! an error event, and in any case an aborted connection: almost no client notices a tidy end after half an answer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http_body::{Body, Frame};
use keypool_dialect::answer::{self, Code};
use keypool_dialect::stream::{End as StreamEnd, Phase, StreamMachine};
use keypool_dialect::usage::Usage;
use tokio::time::Sleep;

use super::client_body::Cut;
use super::opening::Follow;
use crate::inbound::Pulse;
use crate::pool::Journey;
use crate::telemetry::{End, Record};
use crate::upstream::{Answer, Frames};

/// Bytes of one piece: about what the connection's buffer takes.
const PIECE: usize = 64 * 1024;
/// Frames of one piece: as many as one `writev` takes easily.
const PIECE_FRAMES: usize = 32;

/// Brings an answer to the client.
pub(super) struct Relay {
    held: Vec<Bytes>,
    answer: Answer,
    follow: Follow,
    idle: Duration,
    deadline: Option<Instant>,
    progress: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// Hears when the answer breaks off; none when it is settled already.
    journey: Option<Journey>,
    record: Option<Record>,
    state: State,
}

/// How far a relay is.
enum State {
    /// Bytes are expected.
    Open,
    /// The last words were given to hyper; the connection is aborted once they are written.
    Aborting { asked: bool },
    /// Nothing follows.
    Over,
}

/// Why no more bytes come.
#[derive(Clone, Copy)]
enum Ending {
    /// The provider's answer is at its end.
    Clean,
    /// Its connection is.
    Broken,
    /// Nothing came for too long.
    Silent,
    /// The process goes down.
    Drained,
}

impl Relay {
    pub(super) fn new(
        held: Vec<Bytes>,
        answer: Answer,
        follow: Follow,
        idle: Duration,
        deadline: Option<Instant>,
        journey: Option<Journey>,
        record: Record,
    ) -> Self {
        Self {
            held,
            answer,
            follow,
            idle,
            deadline,
            progress: Instant::now(),
            timer: None,
            journey,
            record: Some(record),
            state: State::Open,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The next piece.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        pulse: &Pulse,
    ) -> Poll<Option<Result<Frame<Frames>, Cut>>> {
        match self.state {
            State::Over => Poll::Ready(None),
            State::Aborting { asked } => {
                // hyper writes when we have nothing more to give; only then may the connection go.
                if !asked {
                    self.state = State::Aborting { asked: true };
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                pulse.poll_flushed(cx).map(|()| {
                    self.state = State::Over;
                    Some(Err(Cut))
                })
            }
            State::Open => self.poll_open(cx, pulse),
        }
    }

    fn poll_open(&mut self, cx: &mut Context<'_>, pulse: &Pulse) -> Poll<Option<Result<Frame<Frames>, Cut>>> {
        let (pieces, mut ending) = self.gather(cx);
        if pieces.is_empty() && ending.is_none() {
            if pulse.is_aborting() {
                ending = Some(Ending::Drained);
            } else if self.poll_silence(cx).is_ready() {
                ending = Some(Ending::Silent);
            } else {
                return Poll::Pending;
            }
        }
        let Some(ending) = ending else {
            return Poll::Ready(Some(Ok(Frame::data(Frames::from(pieces)))));
        };
        let last_words = self.end(ending);
        let pieces = pieces.into_iter().chain(last_words).collect::<Vec<_>>();
        if !pieces.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(Frames::from(pieces)))));
        }
        // Nothing to write first: a body that ends, or a connection that is aborted as it stands.
        match self.state {
            State::Over => Poll::Ready(None),
            _ => self.poll(cx, pulse),
        }
    }

    /// Takes what is there.
    fn gather(&mut self, cx: &mut Context<'_>) -> (Vec<Bytes>, Option<Ending>) {
        let mut pieces = std::mem::take(&mut self.held);
        let mut bytes: usize = pieces.iter().map(Bytes::len).sum();
        let mut now = None;
        let ending = loop {
            if bytes >= PIECE || pieces.len() >= PIECE_FRAMES {
                break None;
            }
            match Pin::new(&mut self.answer).poll_frame(cx) {
                Poll::Pending => break None,
                Poll::Ready(None) => break Some(Ending::Clean),
                Poll::Ready(Some(Err(_))) => break Some(Ending::Broken),
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are between us and the provider.
                    let Ok(data) = frame.into_data() else { continue };
                    self.follow.feed(&data, *now.get_or_insert_with(SystemTime::now));
                    bytes += data.len();
                    pieces.push(data);
                }
            }
            // The end is known with the last bytes: it then goes out together with them.
            if self.answer.is_end_stream() {
                break Some(Ending::Clean);
            }
        };
        if bytes > 0 {
            self.progress = Instant::now();
            if let Some(record) = &mut self.record {
                record.bytes_out(bytes as u64);
                if self.follow.has_content() {
                    record.first_event();
                }
            }
        }
        (pieces, ending)
    }

    /// Ready when nothing came for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let silent = self.progress + self.idle;
        let until = self.deadline.map_or(silent, |deadline| deadline.min(silent));
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until.into())));
        loop {
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            // It was set before the last bytes came.
            timer.as_mut().reset(until.into());
        }
    }

    /// Closes the books; gives what is still to be said to the client, and sets what follows.
    fn end(&mut self, ending: Ending) -> Option<Bytes> {
        let (complete, last_words) = match (&self.follow, ending) {
            (Follow::Events(machine), Ending::Clean | Ending::Broken) => match (machine.finish(), ending) {
                (StreamEnd::Complete, _) => (true, None),
                // The client has the provider's own error event.
                (StreamEnd::Failed(_), Ending::Clean) => {
                    self.close(End::Cut);
                    self.state = State::Over;
                    return None;
                }
                (StreamEnd::Failed(_), _) => (false, None),
                (StreamEnd::Cut, _) => (false, Some(last_words(machine, Ending::Broken))),
            },
            (Follow::Events(machine), _) => (false, Some(last_words(machine, ending))),
            (Follow::Json(_) | Follow::Blind, Ending::Clean) => (true, None),
            (Follow::Json(_) | Follow::Blind, _) => (false, None),
        };
        if complete {
            self.close(End::Complete);
            self.state = State::Over;
            return None;
        }
        if let (Some(record), Some(words)) = (&mut self.record, &last_words) {
            record.bytes_out(words.len() as u64);
        }
        if matches!(ending, Ending::Drained) {
            self.journey = None;
        }
        self.close(End::Cut);
        self.state = State::Aborting { asked: false };
        last_words
    }

    fn close(&mut self, end: End) {
        if let Some(mut journey) = self.journey.take()
            && end == End::Cut
        {
            journey.cut();
        }
        let usage = std::mem::replace(&mut self.follow, Follow::Blind).finish();
        if let Some(mut record) = self.record.take() {
            if let Some(usage) = usage {
                record.usage(usage);
            }
            record.end(end);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The client went away: what was used is known as far as the answer came.
        let usage = std::mem::replace(&mut self.follow, Follow::Blind).finish();
        if let (Some(record), Some(usage)) = (&mut self.record, usage) {
            record.usage(usage);
        }
    }
}

/// An error event in place of the end.
fn last_words(machine: &StreamMachine, ending: Ending) -> Bytes {
    let message = match ending {
        Ending::Silent => "The provider sent nothing for too long; the answer is incomplete.",
        Ending::Drained => "This proxy is shutting down; the answer is incomplete.",
        Ending::Clean | Ending::Broken => "The provider's answer broke off; it is incomplete.",
    };
    let code = match ending {
        Ending::Drained => Code::Draining,
        _ => Code::UpstreamCut,
    };
    answer::stream_error(machine.position(), code, message)
}

impl Follow {
    /// Looks at the next bytes.
    fn feed(&mut self, data: &[u8], now: SystemTime) {
        match self {
            Self::Events(machine) => {
                machine.feed(data, now);
            }
            Self::Json(tap) => tap.feed(data),
            Self::Blind => {}
        }
    }

    /// Whether what a client waits for has begun.
    fn has_content(&self) -> bool {
        match self {
            Self::Events(machine) => machine.has_content() || machine.phase() == Phase::Ended,
            Self::Json(_) | Self::Blind => true,
        }
    }

    /// What the answer says was used.
    pub(super) fn finish(self) -> Option<Usage> {
        match self {
            Self::Events(machine) => machine.usage(),
            Self::Json(tap) => tap.finish(),
            Self::Blind => None,
        }
    }
}

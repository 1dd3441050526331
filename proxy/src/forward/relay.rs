//! A committed answer on its way to the client: bytes untouched, read on the side.
//!
//! What can be read at once is written at once, in one piece, and no event that is there waits for more. The provider is read no faster
//! than the client takes, because hyper asks for the next piece only when it has room. An answer that breaks off gets, if it is a stream of events,
//! an error event after the last whole one, and in any case an aborted connection: almost no client notices a tidy end after half an answer.

mod ending;
mod piece;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::Sleep;

use super::client_body::Cut;
use super::follow::Follow;
use crate::inbound::Pulse;
use crate::pool::Journey;
use crate::runtime::Provider;
use crate::telemetry::{End, Record};
use crate::upstream::{Answer, Frames};
use ending::Ending;
use piece::{Piece, Tail};

/// Brings an answer to the client.
pub(super) struct Relay {
    /// What came before it and may go.
    first: Piece,
    tail: Tail,
    answer: Answer,
    follow: Follow,
    provider: Arc<Provider>,
    deadline: Option<Instant>,
    progress: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// Hears how the answer ends; none when it is settled already.
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

impl Relay {
    /// `held` came from `answer` already, and `follow` has seen it.
    pub(super) fn new(
        held: Vec<Bytes>,
        answer: Answer,
        follow: Follow,
        provider: Arc<Provider>,
        deadline: Option<Instant>,
        journey: Option<Journey>,
        record: Record,
    ) -> Self {
        let mut relay = Self {
            first: Piece::default(),
            tail: Tail::default(),
            answer,
            follow,
            provider,
            deadline,
            progress: Instant::now(),
            timer: None,
            journey,
            record: Some(record),
            state: State::Open,
        };
        let mut first = Piece::default();
        if relay.follow.has_failed() {
            relay.take(held.concat().into(), &mut first);
        } else {
            let mut later: usize = held.iter().map(Bytes::len).sum();
            for data in held {
                later -= data.len();
                let open = relay.follow.open_bytes().saturating_sub(later);
                relay.tail.pass(data, open, &mut first);
            }
        }
        relay.first = first;
        relay
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
        let mut piece = std::mem::take(&mut self.first);
        let mut ending = self.gather(cx, &mut piece);
        if ending.is_none() {
            // An answer that always has something to read would outlive the process.
            if pulse.is_aborting() {
                ending = Some(Ending::Drained);
            } else if piece.is_empty() {
                if self.poll_silence(cx).is_pending() {
                    return Poll::Pending;
                }
                ending = Some(Ending::Silent);
            }
        }
        let end = ending.map(|ending| self.end(ending, &mut piece));
        self.count(&piece);
        if let Some(end) = end {
            self.close(end);
        }
        if !piece.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(Frames::from(piece.into_frames())))));
        }
        // Nothing to write first: a body that ends, or a connection that is aborted as it stands.
        match self.state {
            State::Over => Poll::Ready(None),
            _ => self.poll(cx, pulse),
        }
    }

    /// Takes what is there.
    fn gather(&mut self, cx: &mut Context<'_>, piece: &mut Piece) -> Option<Ending> {
        let mut now = None;
        let ending = loop {
            if piece.is_full() {
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
                    self.take(data, piece);
                }
            }
            // The end is known with the last bytes: it then goes out together with them.
            if self.answer.is_end_stream() {
                break Some(Ending::Clean);
            }
        };
        if now.is_some() {
            self.progress = Instant::now();
        }
        ending
    }

    /// Puts what may go out of bytes that `follow` has seen into `piece`. What a provider reports may quote our key: from an error on,
    /// events go out without it, each whole, because the key may stand across its pieces.
    fn take(&mut self, mut data: Bytes, piece: &mut Piece) {
        if self.follow.has_failed() {
            let event = [self.tail.release(), data].concat();
            data = self.provider.blanked(event.into());
        }
        self.tail.pass(data, self.follow.open_bytes(), piece);
    }

    /// Notes what goes out.
    fn count(&mut self, piece: &Piece) {
        if piece.is_empty() {
            return;
        }
        if let Some(record) = &mut self.record {
            record.bytes_out(piece.len() as u64);
            if self.follow.has_content() {
                record.first_event();
            }
        }
    }

    /// Ready when nothing came for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let silent = self.progress + self.provider.idle_timeout;
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

    /// Closes the books.
    fn close(&mut self, end: End) {
        if let Some(mut journey) = self.journey.take() {
            match end {
                End::Complete => journey.complete(),
                End::Cut => journey.cut(),
                End::Cancelled => {}
            }
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

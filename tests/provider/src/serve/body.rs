//! The body of an answer, played step by step.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::watched::Watched;
use crate::limits::Ticket;
use crate::record::Outcome;
use crate::scenario::CutHow;
use crate::score::Step;
use crate::{clock, stamp};

/// A body that hyper polls.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    /// One piece with a length, nobody watching.
    Quick(Option<Bytes>),
    /// Everything else.
    Scored(Box<Player>),
}

/// Plays the steps and tells the log.
#[derive(Debug)]
pub(crate) struct Player {
    steps: VecDeque<Step>,
    declared: Option<u64>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// When the last wait was over: the next counts from there, so that a late wake-up does not add up.
    due: Option<Instant>,
    trace: Watched,
    _ticket: Option<Ticket>,
}

impl ReplyBody {
    /// A body of these steps. With `declared` its length is told beforehand, true or not.
    pub(crate) fn scored(
        steps: VecDeque<Step>,
        declared: Option<u64>,
        trace: Watched,
        ticket: Option<Ticket>,
    ) -> Self {
        let mut player = Player {
            steps,
            declared,
            sleep: None,
            due: None,
            trace,
            _ticket: ticket,
        };
        player.close_when_done();
        Self::Scored(Box::new(player))
    }
}

impl Player {
    /// hyper does not poll again after the last declared byte, so the log line is closed with the last step.
    fn close_when_done(&mut self) {
        if self.steps.is_empty() {
            self.trace.finish(Outcome::Complete);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Wait(wait)) => {
                    let due = self.due.unwrap_or_else(Instant::now) + wait;
                    self.due = Some(due);
                    self.sleep = Some(Box::pin(sleep_until(due)));
                }
                Some(Step::Send(bytes)) => {
                    if !bytes.is_empty() {
                        self.trace.sent(&bytes);
                    }
                    self.close_when_done();
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(bytes));
                    }
                }
                Some(Step::SendStamped(event)) => {
                    self.steps
                        .push_front(Step::Send(stamp::stamped(&event, clock::now_ns())));
                }
                Some(Step::Flush) => {
                    // hyper flushes when a body has nothing at the moment.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Break(how)) => {
                    // It stays in the queue: a body that is over would be ended properly.
                    self.steps.push_front(Step::Break(how));
                    if how != CutHow::Stall {
                        self.trace.finish(Outcome::Cut);
                        self.trace.wire().end_on_flush(how);
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Quick(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Scored(player) => player
                .poll(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Quick(bytes) => bytes.is_none(),
            Self::Scored(player) => player.steps.is_empty() && player.sleep.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let len = match self {
            Self::Quick(bytes) => Some(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Scored(player) => player.declared,
        };
        len.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

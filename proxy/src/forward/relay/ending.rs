//! How an answer ends for its client: tidily, or with an error event and an aborted connection.

use bytes::Bytes;
use keypool_dialect::answer::{self, Code};
use keypool_dialect::outcome::Class;
use keypool_dialect::stream::{End as StreamEnd, Position};

use super::piece::Piece;
use super::{Relay, State};
use crate::forward::follow::Follow;
use crate::telemetry::End;

/// Why no more bytes come.
#[derive(Clone, Copy)]
pub(super) enum Ending {
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
    /// Puts what is still to be said to the client into `piece`, and sets what follows.
    pub(super) fn end(&mut self, ending: Ending, piece: &mut Piece) -> End {
        let events = match &self.follow {
            Follow::Events(machine) => Some(machine.finish()),
            Follow::Json(_) | Follow::Blind => None,
        };
        let (end, tidy) = match (events, ending) {
            // Of events, whatever becomes of the connection after the last one.
            (Some(StreamEnd::Complete), _) | (None, Ending::Clean) => (End::Complete, true),
            // The client has the provider's own error event.
            (Some(StreamEnd::Failed(outcome)), _) => {
                // A request that asks for what it must not is no fault of the provider's.
                if outcome.class == Class::Client
                    && let Some(mut journey) = self.journey.take()
                {
                    journey.complete();
                }
                (End::Cut, matches!(ending, Ending::Clean))
            }
            (Some(StreamEnd::Cut), _) => {
                piece.push(self.last_words(ending));
                (End::Cut, false)
            }
            (None, _) => (End::Cut, false),
        };
        if tidy {
            // A stream need not end with an empty line; but half an event after the last finish reason helps nobody.
            let tail = self.tail.release();
            let readable = match &self.follow {
                Follow::Events(machine) => machine.ends_readable(),
                Follow::Json(_) | Follow::Blind => true,
            };
            if readable {
                piece.push(tail);
            }
            self.state = State::Over;
        } else {
            self.state = State::Aborting { asked: false };
        }
        // We broke it off, not the provider.
        if matches!((end, ending), (End::Cut, Ending::Drained)) {
            self.journey = None;
        }
        end
    }

    /// An error event in place of the end.
    fn last_words(&self, ending: Ending) -> Bytes {
        let message = match ending {
            Ending::Silent => "The provider sent nothing for too long; the answer is incomplete.",
            Ending::Drained => "This proxy is shutting down; the answer is incomplete.",
            Ending::Clean | Ending::Broken => "The provider's answer broke off; it is incomplete.",
        };
        let code = match ending {
            Ending::Drained => Code::Draining,
            _ => Code::UpstreamCut,
        };
        let at = match &self.follow {
            // The client has a part of a long event.
            Follow::Events(machine) if self.tail.is_empty() => machine.position(),
            _ => Position::Boundary,
        };
        answer::stream_error(at, code, message)
    }
}

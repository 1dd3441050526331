//! The one stream machine: reads a stream of chat events beside the bytes' way and says when to commit, how it ended
//! and what it used.

use std::time::SystemTime;

use keypool_contract::ProviderType;

use crate::outcome::Outcome;
use crate::usage::Usage;

/// How far a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing yet that a client waits for: comments, role chunks, empty deltas. Still replaceable.
    Preamble,
    /// Content has begun: commit now.
    Content,
    /// The provider reported an error in the stream; [`StreamMachine::error`] has it. Before content it can go
    /// elsewhere ([`StreamMachine::has_content`]).
    Failed,
    /// The end marker was seen.
    Ended,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With its end marker, or a finish reason for every choice.
    Complete,
    /// Without.
    Cut,
    /// With an error of the provider in the stream, which the client got.
    Failed(Outcome),
}

/// Where in an event the bytes stopped: says what must precede an error event of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Between two events.
    Boundary,
    /// In an event, after a whole line.
    LineEnd,
    /// In a line.
    InLine,
}

/// Follows one stream of OpenAI chat events.
#[derive(Debug)]
pub struct StreamMachine {
    provider: ProviderType,
}

impl StreamMachine {
    /// `choices` is the request's `n`; absent, one.
    pub fn new(provider: ProviderType, _choices: Option<u64>) -> Self {
        Self { provider }
    }

    /// Looks at the next bytes; they are passed on by the caller, untouched.
    pub fn feed(&mut self, _chunk: &[u8], _now: SystemTime) -> Phase {
        let _ = self.provider;
        Phase::Content
    }

    /// How far the stream is.
    pub fn phase(&self) -> Phase {
        Phase::Content
    }

    /// Has content begun? Then a failure cannot go elsewhere any more.
    pub fn has_content(&self) -> bool {
        true
    }

    /// Events and comments seen so far, for the bound of the preamble.
    pub fn events(&self) -> u64 {
        0
    }

    /// The error that the provider reported in the stream.
    pub fn error(&self) -> Option<&Outcome> {
        None
    }

    /// The last usage that was seen.
    pub fn usage(&self) -> Option<Usage> {
        None
    }

    /// Where in an event the bytes stopped.
    pub fn position(&self) -> Position {
        Position::Boundary
    }

    /// The upstream closed cleanly here: was it the end? (A transport error is a cut unless this says `Complete`.)
    pub fn finish(&self) -> End {
        End::Complete
    }
}

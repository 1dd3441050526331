//! The one stream machine: reads a stream of chat events beside the bytes' way and says when to commit, how it ended
//! and what it used.
//!
//! Nothing goes to a client before the first event that it waits for, because until then a failure can go elsewhere:
//! a role chunk, an empty delta or a comment is no such event; content, a tool call, a finish reason is, and so is
//! everything that we do not know. A stream is complete with `[DONE]` or with a finish reason for every choice; a tidy
//! close without either is a cut, and almost no client would notice it.
//!
//! It sits on every byte of the hot path, so after the first content an event is only searched for the few names that
//! matter and parsed when one of them has a value.

mod chat;

use std::time::SystemTime;

use http::HeaderMap;
use keypool_contract::ProviderType;
use serde::de::IgnoredAny;

use crate::outcome::{Class, Outcome, Scope};
use crate::provider;
pub use crate::sse::Position;
use crate::sse::{Item, Splitter};
use crate::usage::Usage;
use chat::Chunk;

/// The most choices that are told apart; OpenAI's own limit.
const CHOICES: u64 = 128;

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
    /// With an error of the provider in the stream.
    Failed(Outcome),
}

/// Follows one stream of OpenAI chat events.
#[derive(Debug)]
pub struct StreamMachine {
    splitter: Splitter,
    state: State,
}

#[derive(Debug)]
struct State {
    provider: ProviderType,
    phase: Phase,
    has_content: bool,
    /// Finish reasons that are due.
    choices: u32,
    /// One bit per choice that has its finish reason.
    finished: u128,
    events: u64,
    error: Option<Outcome>,
    usage: Option<Usage>,
}

impl StreamMachine {
    /// `choices` is the request's `n`; absent, one.
    pub fn new(provider: ProviderType, choices: Option<u64>) -> Self {
        let choices = u32::try_from(choices.unwrap_or(1).clamp(1, CHOICES)).unwrap_or(1);
        let state = State {
            provider,
            phase: Phase::Preamble,
            has_content: false,
            choices,
            finished: 0,
            events: 0,
            error: None,
            usage: None,
        };
        Self {
            splitter: Splitter::default(),
            state,
        }
    }

    /// Looks at the next bytes, which the caller passes on untouched. `now` is the wall clock, for hints that are dates.
    pub fn feed(&mut self, chunk: &[u8], now: SystemTime) -> Phase {
        let state = &mut self.state;
        self.splitter.feed(chunk, |item| state.item(item, now));
        state.phase
    }

    /// How far the stream is.
    pub fn phase(&self) -> Phase {
        self.state.phase
    }

    /// Has content begun? Then a failure cannot go elsewhere any more.
    pub fn has_content(&self) -> bool {
        self.state.has_content
    }

    /// Events seen so far, for the bounds of the preamble. Comments are none: a provider that sends them has not begun.
    pub fn events(&self) -> u64 {
        self.state.events
    }

    /// The error that the provider reported in the stream.
    pub fn error(&self) -> Option<&Outcome> {
        self.state.error.as_ref()
    }

    /// The last usage that was seen.
    pub fn usage(&self) -> Option<Usage> {
        self.state.usage
    }

    /// Where in an event the bytes stopped.
    pub fn position(&self) -> Position {
        self.splitter.position()
    }

    /// How many of the bytes so far, counted from the last one, belong to an event that is not whole.
    pub fn open_bytes(&self) -> usize {
        self.splitter.open_bytes()
    }

    /// Whether what came of the event that is not whole can be read: it lacks its empty line and nothing else.
    pub fn ends_readable(&self) -> bool {
        let data = self.splitter.unfinished();
        data.is_empty() || chat::is_end(data) || serde_json::from_slice::<IgnoredAny>(data).is_ok()
    }

    /// The upstream closed here: was it the end? A transport error is a cut unless this says `Complete`.
    pub fn finish(&self) -> End {
        let state = &self.state;
        if let Some(error) = &state.error {
            return End::Failed(error.clone());
        }
        let marked = state.phase == Phase::Ended || chat::is_end(self.splitter.unfinished());
        if marked || state.finished.count_ones() >= state.choices {
            End::Complete
        } else {
            End::Cut
        }
    }
}

impl State {
    fn item(&mut self, item: Item<'_>, now: SystemTime) {
        match item {
            Item::Comment => return,
            Item::Oversized => self.content(),
            // After the end marker and after an error nothing counts any more.
            Item::Event { .. } if matches!(self.phase, Phase::Failed | Phase::Ended) => {}
            Item::Event { name, data } => self.event(name, data, now),
        }
        self.events += 1;
    }

    fn event(&mut self, name: &[u8], data: &[u8], now: SystemTime) {
        if chat::is_end(data) {
            self.has_content = true;
            self.phase = Phase::Ended;
            return;
        }
        if name == b"error" || chat::may_be_error(data) {
            let error = provider::in_band(self.provider, &HeaderMap::new(), data, now);
            let error =
                error.or_else(|| (name == b"error").then(|| Outcome::new(Class::Server, "error_event")));
            if let Some(error) = error {
                self.fail(error);
                return;
            }
        }
        if !self.has_content {
            let chunk = Chunk::read(data);
            if !chunk.as_ref().is_some_and(Chunk::is_preamble) {
                self.content();
            }
            self.note(chunk);
        } else if chat::may_finish(data) || chat::may_have_usage(data) {
            self.note(Chunk::read(data));
        }
    }

    fn content(&mut self) {
        self.has_content = true;
        if self.phase == Phase::Preamble {
            self.phase = Phase::Content;
        }
    }

    fn note(&mut self, chunk: Option<Chunk>) {
        let Some(chunk) = chunk else { return };
        self.usage = chunk.usage().or(self.usage);
        for index in chunk.finished().filter(|index| *index < CHOICES) {
            self.finished |= 1 << index;
        }
    }

    /// Before content an error is what it says. After it no other attempt is possible: unless it is the client's own, it
    /// is a failure of the stream, and of nobody's key.
    fn fail(&mut self, error: Outcome) {
        self.phase = Phase::Failed;
        self.error = Some(if !self.has_content || error.class == Class::Client {
            error
        } else {
            Outcome {
                class: Class::Stream,
                scope: Scope::ProviderModel,
                ..error
            }
        });
    }
}

#[cfg(test)]
mod tests;

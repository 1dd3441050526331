//! How an answer is read beside the bytes' way.

use std::time::SystemTime;

use keypool_dialect::stream::{Phase, StreamMachine};
use keypool_dialect::usage::{Usage, UsageTap};

/// How an answer is read beside the bytes' way.
pub(super) enum Follow {
    /// As a stream of events.
    Events(StreamMachine),
    /// As JSON, for its usage.
    Json(UsageTap),
    /// Not at all: it is compressed.
    Blind,
}

impl Follow {
    /// Looks at the next bytes.
    pub(super) fn feed(&mut self, data: &[u8], now: SystemTime) {
        match self {
            Self::Events(machine) => {
                machine.feed(data, now);
            }
            Self::Json(tap) => tap.feed(data),
            Self::Blind => {}
        }
    }

    /// How many of the bytes so far, counted from the last one, belong to an event that is not whole.
    pub(super) fn open_bytes(&self) -> usize {
        match self {
            Self::Events(machine) => machine.open_bytes(),
            Self::Json(_) | Self::Blind => 0,
        }
    }

    /// Whether what a client waits for has begun.
    pub(super) fn has_content(&self) -> bool {
        match self {
            Self::Events(machine) => machine.has_content() || machine.phase() == Phase::Ended,
            Self::Json(_) | Self::Blind => true,
        }
    }

    /// Whether the provider has reported an error in it.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self, Self::Events(machine) if machine.phase() == Phase::Failed)
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

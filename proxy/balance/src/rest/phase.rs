//! The states of something that may rest, and the one function that changes them.

use std::time::Duration;

use crate::gate::{Gate, Lease};
use crate::ids::Tick;
use crate::time::Time;

/// Halvings of the weight right after a rest: 1/8, then doubled by each success of an attempt that was sent at the weight before.
const SLOW_START: u8 = 3;
/// A slow start ends by itself after this, for a target that is hardly used.
const SLOW_START_LONGEST: Duration = Duration::from_secs(60);

/// What a rest does to requests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Nothing is known against it.
    #[default]
    Clear,
    /// Not used until a moment, but for one early trial where nothing else is usable.
    Resting { until: Time, early: Option<Lease> },
    /// The rest is over; one trial at a time decides.
    HalfOpen { since: Time, trial: Option<Lease> },
    /// A trial succeeded; the weight grows back.
    SlowStart { halvings: u8, since: Tick, until: Time },
}

/// What can happen to it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// Verdicts hold until then (a moment that has passed means: over, but not refuted).
    Verdict { until: Time },
    /// No verdict stands any more, without a trial: refuted elsewhere, or proven by a probe.
    Lifted,
    /// A trial begins.
    Trial(Lease),
    /// The holder's trial ended without telling anything.
    Undecided(Tick),
    /// An attempt that was sent then succeeded now, and no verdict stands that it could not refute.
    Success { sent: Tick, known: Tick },
    /// Time passed.
    Elapsed,
    /// A person's reset.
    Reset,
}

impl Phase {
    /// The one transition.
    pub(crate) fn on(self, event: Event, now: Time) -> Self {
        match (self, event) {
            (phase, Event::Verdict { until }) if until > now => Self::Resting {
                until,
                early: phase.lease(),
            },
            (phase, Event::Verdict { .. }) => Self::HalfOpen {
                since: phase.since(now),
                trial: phase.lease(),
            },
            (phase @ (Self::Resting { .. } | Self::HalfOpen { .. }), Event::Lifted) => Self::HalfOpen {
                since: phase.since(now),
                trial: phase.lease(),
            },
            (Self::Resting { until, early: None }, Event::Trial(lease)) => Self::Resting {
                until,
                early: Some(lease),
            },
            (Self::HalfOpen { since, trial: None }, Event::Trial(lease)) => Self::HalfOpen {
                since,
                trial: Some(lease),
            },
            (
                Self::Resting {
                    until,
                    early: Some(lease),
                },
                Event::Undecided(holder),
            ) if lease.holder == holder => Self::Resting { until, early: None },
            (
                Self::HalfOpen {
                    since,
                    trial: Some(lease),
                },
                Event::Undecided(holder),
            ) if lease.holder == holder => Self::HalfOpen { since, trial: None },
            (Self::Resting { .. } | Self::HalfOpen { .. }, Event::Success { known, .. }) => Self::SlowStart {
                halvings: SLOW_START,
                since: known,
                until: now.after(SLOW_START_LONGEST),
            },
            (
                Self::SlowStart {
                    halvings,
                    since,
                    until,
                },
                Event::Success { sent, known },
            ) if sent > since => match halvings.saturating_sub(1) {
                0 => Self::Clear,
                halvings => Self::SlowStart {
                    halvings,
                    since: known,
                    until,
                },
            },
            (Self::Resting { until, early }, Event::Elapsed) if until <= now => Self::HalfOpen {
                since: until,
                trial: early.filter(|lease| lease.until > now),
            },
            (
                Self::Resting {
                    until,
                    early: Some(lease),
                },
                Event::Elapsed,
            ) if lease.until <= now => Self::Resting { until, early: None },
            (
                Self::HalfOpen {
                    since,
                    trial: Some(lease),
                },
                Event::Elapsed,
            ) if lease.until <= now => Self::HalfOpen { since, trial: None },
            (Self::SlowStart { until, .. }, Event::Elapsed) if until <= now => Self::Clear,
            (_, Event::Reset) => Self::Clear,
            (phase, _) => phase,
        }
    }

    pub(crate) fn gate(self) -> Gate {
        match self {
            Self::Clear => Gate::OPEN,
            Self::SlowStart { halvings, .. } => Gate::Pass { slow: halvings },
            Self::HalfOpen { trial: None, .. } => Gate::Trial,
            Self::HalfOpen { trial: Some(_), .. } | Self::Resting { .. } => Gate::Block,
        }
    }

    /// When time alone changes it next.
    pub(crate) fn deadline(self) -> Option<Time> {
        match self {
            Self::Clear | Self::HalfOpen { trial: None, .. } => None,
            Self::Resting { until, early } => Some(early.map_or(until, |lease| lease.until.min(until))),
            Self::HalfOpen {
                trial: Some(lease), ..
            } => Some(lease.until),
            Self::SlowStart { until, .. } => Some(until),
        }
    }

    pub(crate) fn lease(self) -> Option<Lease> {
        match self {
            Self::Resting { early, .. } => early,
            Self::HalfOpen { trial, .. } => trial,
            Self::Clear | Self::SlowStart { .. } => None,
        }
    }

    fn since(self, now: Time) -> Time {
        match self {
            Self::HalfOpen { since, .. } => since,
            _ => now,
        }
    }
}

//! A provider's breaker: for its endpoint as a whole, and for each upstream model. It never touches a key.
//!
//! It opens after five failures in a row, or when half of at least twenty attempts of the last ten seconds failed; for 5 s, doubling to 60 s
//! while trials fail or it opens again within a minute. Then one trial decides. Attempts that were sent before it opened
//! tell nothing new, then and after it is closed. An answer that breaks off after its commit turns that attempt into a failure; such answers
//! are a row of their own, which only an answer that comes to its end interrupts: every one of them began well.

use std::time::Duration;

use crate::cooldown::Jitter;
use crate::gate::{Gate, Lease};
use crate::ids::Tick;
use crate::random::Random;
use crate::time::Time;
use crate::window::Window;

const FAILURES_IN_A_ROW: u32 = 5;
const ATTEMPTS_TO_JUDGE: u64 = 20;
const FIRST_OPEN: Duration = Duration::from_secs(5);
const LONGEST_OPEN: Duration = Duration::from_secs(60);
/// Doublings from 5 s that reach 60 s.
const DOUBLINGS: u32 = 4;

/// What a breaker does to requests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// Lets everything through, and counts.
    #[default]
    Closed,
    /// Lets nothing through until a moment.
    Open { until: Time },
    /// Lets one trial through.
    HalfOpen { trial: Option<Lease> },
}

/// What can happen to it.
#[derive(Clone, Copy, Debug)]
enum Event {
    Trip { until: Time },
    Elapsed,
    Trial(Lease),
    Undecided(Tick),
    TrialSucceeded,
}

impl State {
    fn on(self, event: Event, now: Time) -> Self {
        match (self, event) {
            (_, Event::Trip { until }) => Self::Open { until },
            (Self::Open { until }, Event::Elapsed) if until <= now => Self::HalfOpen { trial: None },
            (Self::HalfOpen { trial: Some(lease) }, Event::Elapsed) if lease.until <= now => {
                Self::HalfOpen { trial: None }
            }
            (Self::HalfOpen { trial: None }, Event::Trial(lease)) => Self::HalfOpen { trial: Some(lease) },
            (Self::HalfOpen { trial: Some(lease) }, Event::Undecided(holder)) if lease.holder == holder => {
                Self::HalfOpen { trial: None }
            }
            (Self::HalfOpen { .. }, Event::TrialSucceeded) => Self::Closed,
            (state, _) => state,
        }
    }
}

/// Counts failures of attempts, and what follows from them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaker {
    state: State,
    row: u32,
    /// Answers that broke off, in a row.
    cuts: u32,
    /// Attempts and failures.
    window: Window,
    /// Times it opened without a quiet minute between.
    level: u32,
    changed: Tick,
    closed_at: Option<Time>,
    hinted: Time,
}

impl Breaker {
    /// An attempt was answered, by whatever but the provider's fault.
    pub(crate) fn answered(&mut self, sent: Tick, now: Time) {
        if sent <= self.changed {
            return;
        }
        self.row = 0;
        match self.state {
            State::Closed => self.window.add(now, 1, 0),
            State::Open { .. } | State::HalfOpen { .. } => {
                self.state = self.state.on(Event::TrialSucceeded, now);
                self.closed_at = Some(now);
                self.window.clear();
            }
        }
    }

    /// An answer that was told before came to its end.
    pub(crate) fn completed(&mut self, sent: Tick) {
        if sent > self.changed {
            self.cuts = 0;
        }
    }

    /// An answer that was told before broke off: its attempt is counted already, and failed after all.
    pub(crate) fn cut(&mut self, sent: Tick, known: Tick, random: &mut Random, now: Time) {
        if sent > self.changed {
            self.cuts += 1;
            self.window.add(now, 0, 1);
            self.judge(self.cuts, known, random, now);
        }
    }

    /// An attempt failed by the provider's fault; `hint` is the vendor's word when to come again.
    pub(crate) fn failed(
        &mut self,
        sent: Tick,
        known: Tick,
        hint: Option<Duration>,
        random: &mut Random,
        now: Time,
    ) {
        if let Some(hint) = hint {
            self.hinted = self.hinted.max(now.after(hint.min(LONGEST_OPEN)));
        }
        if sent > self.changed {
            self.row += 1;
            self.window.add(now, 1, 1);
            self.judge(self.row, known, random, now);
        }
    }

    pub(crate) fn gate(&self) -> Gate {
        match self.state {
            State::Closed => Gate::OPEN,
            State::HalfOpen { trial: None } => Gate::Trial,
            State::HalfOpen { trial: Some(_) } | State::Open { .. } => Gate::Block,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Open { until } => Some(until),
            State::HalfOpen { trial: Some(lease) } => Some(lease.until),
            State::Closed | State::HalfOpen { trial: None } => None,
        }
    }

    /// Whether it has opened and not yet been closed by a trial.
    pub(crate) fn is_tripped(&self) -> bool {
        self.state != State::Closed
    }

    /// Until when it lets nothing through.
    pub(crate) fn open_until(&self) -> Option<Time> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    pub(crate) fn lend(&mut self, lease: Lease, now: Time) {
        self.state = self.state.on(Event::Trial(lease), now);
    }

    pub(crate) fn take_back(&mut self, holder: Tick, now: Time) {
        self.state = self.state.on(Event::Undecided(holder), now);
    }

    pub(crate) fn elapse(&mut self, now: Time) {
        self.state = self.state.on(Event::Elapsed, now);
    }

    /// After a failure, the last of so many in a row.
    fn judge(&mut self, row: u32, known: Tick, random: &mut Random, now: Time) {
        match self.state {
            State::Closed => {
                let (attempts, failures) = self.window.sums(now);
                let half = attempts >= ATTEMPTS_TO_JUDGE && failures * 2 >= attempts;
                if row >= FAILURES_IN_A_ROW || half {
                    let quiet = self.closed_at.is_none_or(|at| now.since(at) >= LONGEST_OPEN);
                    self.level = if quiet { 0 } else { (self.level + 1).min(DOUBLINGS) };
                    self.trip(known, random, now);
                }
            }
            State::HalfOpen { .. } => {
                self.level = (self.level + 1).min(DOUBLINGS);
                self.trip(known, random, now);
            }
            State::Open { .. } => {}
        }
    }

    fn trip(&mut self, known: Tick, random: &mut Random, now: Time) {
        let span = (FIRST_OPEN * (1 << self.level)).min(LONGEST_OPEN);
        let until = now.after(Jitter::draw(random).stretch(span)).max(self.hinted);
        self.state = self.state.on(Event::Trip { until }, now);
        self.changed = known;
        self.row = 0;
        self.cuts = 0;
        self.window.clear();
    }
}

//! Something that may rest: a quota group, a key, or one of them for one model.
//!
//! It holds what stands against it: at most one own verdict, and those that others advise. They are kept apart, the later deadline counts,
//! and a deadline never moves earlier but by a refutation or a person's reset. Only an attempt that was sent after a verdict was known refutes it.

use std::sync::Arc;

use crate::config::CooldownConfig;
use crate::cooldown::{self, Jitter};
use crate::gate::{Gate, Lease};
use crate::ids::Tick;
use crate::random::Random;
use crate::time::Time;

mod early;
mod news;
mod phase;
mod refute;
mod standing;

use phase::Event;
pub(crate) use phase::Phase;
pub(crate) use standing::{Advised, Kind, Own, Refusal};

/// State of something that may rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rest {
    pub(crate) own: Option<Own>,
    pub(crate) advised: Vec<Advised>,
    phase: Phase,
    /// Trials that failed in a row.
    strikes: u32,
    /// A validation call spoke for it, and no request has succeeded since.
    vouched: bool,
    /// The last success that passed here: sent then.
    served_by: Tick,
    jitter: Jitter,
}

impl Rest {
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn gate(&self) -> Gate {
        self.phase.gate()
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.phase.deadline()
    }

    /// Nothing is known or remembered.
    pub(crate) fn is_clear(&self) -> bool {
        self.own.is_none() && self.advised.is_empty() && self.phase == Phase::Clear
    }

    /// Whether an attempt that was sent after this moment passed here and succeeded.
    pub(crate) fn has_served_since(&self, known: Tick) -> bool {
        self.served_by > known
    }

    /// The heaviest verdict that stands.
    pub(crate) fn kind(&self) -> Option<Kind> {
        self.own
            .iter()
            .map(|own| own.kind)
            .chain(self.advised.iter().map(|advised| advised.kind))
            .max()
    }

    /// Since when the heaviest verdict stands.
    pub(crate) fn since(&self) -> Option<Time> {
        let own = self.own.iter().map(|own| (own.kind, own.since));
        let advised = self.advised.iter().map(|advised| (advised.kind, advised.since));
        own.chain(advised).max().map(|(_, since)| since)
    }

    /// Rests after a refusal.
    pub(crate) fn refuse(
        &mut self,
        refusal: &Refusal<'_>,
        limits: CooldownConfig,
        random: &mut Random,
        now: Time,
    ) {
        let standing = self.known();
        let trial_failed = match self.phase {
            Phase::Clear => false,
            Phase::SlowStart { since, .. } => refusal.sent > since,
            Phase::Resting { .. } | Phase::HalfOpen { .. } => {
                standing.is_none_or(|known| refusal.sent > known)
            }
        };
        if trial_failed {
            self.strikes = self.strikes.saturating_add(1);
        }
        if trial_failed || standing.is_none() {
            self.jitter = Jitter::draw(random);
        }
        let span = cooldown::span(limits, refusal.hint, refusal.kind == Kind::Credit, self.strikes);
        let until = refusal.at.after(self.jitter.stretch(span));
        let hinted = if refusal.hint.is_some() || refusal.kind >= Kind::Credit {
            until
        } else {
            Time::ZERO
        };
        match &mut self.own {
            Some(own) => {
                own.doubtful &= refusal.doubtful;
                if !matches!(self.phase, Phase::Resting { .. }) {
                    own.doubtful = refusal.doubtful;
                    // Another episode. A confirmed dead key stays one until something proves it alive.
                    own.since = if own.kind == Kind::Invalid { own.since } else { now };
                    own.kind = if own.kind == Kind::Invalid {
                        own.kind
                    } else {
                        refusal.kind
                    };
                }
                own.kind = own.kind.max(refusal.kind);
                own.until = own.until.max(until);
                own.hinted = own.hinted.max(hinted);
                own.refused_at = own.refused_at.max(refusal.at);
                own.known = own.known.max(refusal.known);
                own.by = Arc::clone(refusal.by);
            }
            None => {
                self.own = Some(Own {
                    kind: refusal.kind,
                    until,
                    since: now,
                    by: Arc::clone(refusal.by),
                    refused_at: refusal.at,
                    known: refusal.known,
                    hinted,
                    doubtful: refusal.doubtful,
                    ids: Vec::new(),
                    told: None,
                });
            }
        }
        self.judge(now);
    }

    /// Sets an own verdict's deadline that a rule other than the refusal's decides (a confirmed dead key).
    pub(crate) fn condemn(&mut self, by: &Arc<str>, known: Tick, until: Time, now: Time) {
        let since = match &self.own {
            Some(own) if own.kind == Kind::Invalid => own.since,
            _ => now,
        };
        let ids = self.own.take().map(|own| (own.ids, own.told, own.until));
        let (ids, told, old) = ids.unwrap_or((Vec::new(), None, Time::ZERO));
        let until = until.max(old);
        let by = Arc::clone(by);
        self.own = Some(Own {
            kind: Kind::Invalid,
            until,
            since,
            by,
            refused_at: now,
            known,
            hinted: until,
            doubtful: false,
            ids,
            told,
        });
        self.judge(now);
    }

    /// Keeps a confirmed dead key out for another while; its next validation call is due then.
    pub(crate) fn postpone(&mut self, until: Time, now: Time) {
        if let Some(own) = self.own.as_mut().filter(|own| own.kind == Kind::Invalid) {
            own.until = own.until.max(until);
            own.hinted = own.until;
        }
        for advised in self
            .advised
            .iter_mut()
            .filter(|advised| advised.kind == Kind::Invalid)
        {
            advised.until = advised.until.max(until);
        }
        self.judge(now);
    }

    /// Replaces what others advise.
    pub(crate) fn advise(&mut self, advised: Vec<Advised>, now: Time) {
        let had = !self.advised.is_empty();
        self.advised = advised;
        if self.own.is_some() || !self.advised.is_empty() {
            self.judge(now);
        } else if had {
            self.on(Event::Lifted, now);
        }
    }

    /// Gives the one trial to an attempt.
    pub(crate) fn lend(&mut self, lease: Lease, now: Time) {
        self.on(Event::Trial(lease), now);
    }

    /// Takes a trial back that told nothing.
    pub(crate) fn take_back(&mut self, holder: Tick, now: Time) {
        self.on(Event::Undecided(holder), now);
    }

    pub(crate) fn elapse(&mut self, now: Time) {
        self.on(Event::Elapsed, now);
    }

    /// Both at once: what stands against either stands against the whole.
    pub(crate) fn merge(&mut self, other: &Self, now: Time) {
        if self.is_clear() {
            *self = other.clone();
            return;
        }
        self.strikes = self.strikes.max(other.strikes);
        let own = match (self.own.take(), other.own.clone()) {
            (Some(mut a), Some(b)) => {
                a.until = a.until.max(b.until);
                a.hinted = a.hinted.max(b.hinted);
                a.kind = a.kind.max(b.kind);
                a.refused_at = a.refused_at.max(b.refused_at);
                a.known = a.known.max(b.known);
                a.doubtful &= b.doubtful;
                a.ids.extend(b.ids);
                Some(a)
            }
            (a, b) => a.or(b),
        };
        self.own = own;
        self.advised.extend(other.advised.iter().cloned());
        if self.own.is_some() || !self.advised.is_empty() {
            self.judge(now);
        } else if self.phase == Phase::Clear {
            self.phase = other.phase;
        }
    }

    /// Whether an attempt that was sent then knew nothing of what stands here while it rests.
    pub(crate) fn is_ahead_of(&self, sent: Tick) -> bool {
        matches!(self.phase, Phase::Resting { .. }) && self.known().is_some_and(|known| sent <= known)
    }

    fn known(&self) -> Option<Tick> {
        self.own
            .iter()
            .map(|own| own.known)
            .chain(self.advised.iter().map(|advised| advised.known))
            .max()
    }

    /// The latest deadline that stands decides.
    fn judge(&mut self, now: Time) {
        let own = self.own.iter().map(|own| own.until);
        if let Some(until) = own.chain(self.advised.iter().map(|advised| advised.until)).max() {
            self.on(Event::Verdict { until }, now);
        }
    }

    fn on(&mut self, event: Event, now: Time) {
        self.phase = self.phase.on(event, now);
        if self.phase == Phase::Clear {
            self.strikes = 0;
            self.vouched = false;
        }
    }
}

#[cfg(test)]
mod tests;

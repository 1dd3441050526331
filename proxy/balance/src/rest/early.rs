//! The rule of the last usable target: where nothing else is usable, a rest without a vendor's hint may be tried a while after the last
//! refusal. Lack of credit and dead keys are no such rest.

use std::time::Duration;

use super::{Kind, Phase, Rest};
use crate::time::Time;

/// How long after the last refusal.
const EARLY_TRIAL: Duration = Duration::from_secs(5);

impl Rest {
    /// Whether it may be tried before its time because nothing else is usable.
    pub(crate) fn allows_early_trial(&self, now: Time) -> bool {
        let Phase::Resting { early: None, .. } = self.phase else {
            return false;
        };
        let own = self
            .own
            .as_ref()
            .is_none_or(|own| own.is_soft(now) && now.since(own.refused_at) >= EARLY_TRIAL);
        own && self.advised.iter().all(|advised| {
            advised.until <= now
                || (advised.soft && advised.kind < Kind::Credit && now.since(advised.since) >= EARLY_TRIAL)
        })
    }

    /// When an early trial may be made at the earliest, where one may.
    pub(crate) fn early_trial_at(&self, now: Time) -> Option<Time> {
        let Phase::Resting { until, .. } = self.phase else {
            return None;
        };
        let own = match &self.own {
            Some(own) if own.kind >= Kind::Credit => until,
            Some(own) => own.refused_at.after(EARLY_TRIAL).max(own.hinted),
            None => now,
        };
        let advised = self
            .advised
            .iter()
            .map(|advised| match advised.soft && advised.kind < Kind::Credit {
                true => advised.since.after(EARLY_TRIAL).min(advised.until),
                false => advised.until,
            });
        Some(advised.fold(own, Time::max).min(until))
    }
}

//! Every change of something that may rest or break goes through here: so that its deadline is kept, and whoever it lets through or not is
//! looked at again.

use super::Balancer;
use crate::breaker::Breaker;
use crate::cooldown::Jitter;
use crate::gate::{Gate, Lease};
use crate::ids::Tick;
use crate::provider::{BreakerAt, Provider, RestAt, Unit};
use crate::random::Random;
use crate::rest::{Kind, Phase, Rest};
use crate::time::Time;

impl Balancer {
    /// Changes a rest.
    pub(super) fn change_rest<R>(
        &mut self,
        provider: usize,
        at: RestAt,
        change: impl FnOnce(&mut Rest, &mut Random) -> R,
    ) -> Option<R> {
        let rest = self.providers.get_mut(provider)?.rest_mut(at)?;
        let before = (rest.gate(), rest.deadline());
        let result = change(rest, &mut self.random);
        let after = (rest.gate(), rest.deadline());
        self.note(provider, Unit::Rest(at), before, after);
        Some(result)
    }

    /// Changes a breaker.
    pub(super) fn change_breaker(
        &mut self,
        provider: usize,
        at: BreakerAt,
        change: impl FnOnce(&mut Breaker, &mut Random),
    ) {
        let Some(breaker) = self.providers.get_mut(provider).and_then(|p| p.breaker_mut(at)) else {
            return;
        };
        let before = (breaker.gate(), breaker.deadline());
        change(breaker, &mut self.random);
        let after = (breaker.gate(), breaker.deadline());
        self.note(provider, Unit::Breaker(at), before, after);
    }

    /// Lends the trial of every unit on an attempt's way that asks for one.
    pub(super) fn lend(&mut self, provider: usize, unit: Unit, lease: Lease, now: Time) {
        match unit {
            Unit::Rest(at) => {
                self.change_rest(provider, at, |rest, _| rest.lend(lease, now));
            }
            Unit::Breaker(at) => self.change_breaker(provider, at, |breaker, _| breaker.lend(lease, now)),
        }
    }

    /// Takes the trial back that an attempt held, where it told nothing.
    pub(super) fn take_back(&mut self, provider: usize, unit: Unit, holder: Tick, now: Time) {
        match unit {
            // Looked up first: nothing is made for a rest that never was.
            Unit::Rest(at)
                if self
                    .providers
                    .get(provider)
                    .and_then(|held| held.rest(at))
                    .is_none() => {}
            Unit::Rest(at) => {
                self.change_rest(provider, at, |rest, _| rest.take_back(holder, now));
            }
            Unit::Breaker(at) => {
                self.change_breaker(provider, at, |breaker, _| breaker.take_back(holder, now))
            }
        }
    }

    pub(super) fn elapse(&mut self, provider: usize, unit: Unit, now: Time) {
        let at = match unit {
            Unit::Rest(at) => at,
            Unit::Breaker(at) => return self.change_breaker(provider, at, |breaker, _| breaker.elapse(now)),
        };
        let Some(held) = self.providers.get(provider) else {
            return;
        };
        let Some(rest) = held.rest(at) else { return };
        let over = matches!(rest.phase(), Phase::Resting { until, .. } if until <= now);
        let recheck = match at {
            RestAt::Key(key) if over && rest.kind() == Some(Kind::Invalid) => recheck_interval(held, key),
            _ => None,
        };
        match (recheck, at) {
            (Some(interval), RestAt::Key(key)) => {
                self.change_rest(provider, at, |rest, random| {
                    rest.postpone(now.after(Jitter::draw(random).stretch(interval)), now);
                });
                self.ask(provider, key, now);
            }
            _ => {
                self.change_rest(provider, at, |rest, _| rest.elapse(now));
            }
        }
    }

    /// Asks for one validation call, where the provider has one and none is on its way.
    pub(super) fn ask(&mut self, provider: usize, key: usize, now: Time) {
        let Some(held) = self.providers.get_mut(provider) else {
            return;
        };
        if recheck_interval(held, key).is_none() {
            return;
        }
        let uid = &held.config.uid;
        if let Some(key) = held.keys.get_mut(key)
            && key.ask(now)
        {
            self.journal.ask(uid, &key.fingerprint);
        }
    }

    fn note(
        &mut self,
        provider: usize,
        unit: Unit,
        before: (Gate, Option<Time>),
        after: (Gate, Option<Time>),
    ) {
        if let Some(deadline) = after.1.filter(|_| before.1 != after.1) {
            self.timers.set(deadline, provider, unit);
            if self.timers.is_crowded() {
                self.set_timers();
            }
        }
        if before.0 == after.0 {
            return;
        }
        self.version += 1;
        let only = match unit {
            Unit::Rest(at) => at.lane(),
            Unit::Breaker(BreakerAt::Lane(lane)) => Some(lane),
            Unit::Breaker(BreakerAt::Endpoint) => None,
        };
        if let Some(held) = self.providers.get_mut(provider) {
            match only {
                Some(lane) => held
                    .lanes
                    .iter_mut()
                    .skip(lane)
                    .take(1)
                    .for_each(|lane| lane.stale = true),
                None => held.lanes.iter_mut().for_each(|lane| lane.stale = true),
            }
        }
    }
}

/// Time between two validation calls of a dead key; none where there is no such call.
pub(super) fn recheck_interval(provider: &Provider, key: usize) -> Option<std::time::Duration> {
    let probeable = provider.keys.get(key).is_some_and(|key| !key.unprobeable);
    provider
        .config
        .probe_interval
        .filter(|_| probeable)
        .map(|interval| interval.max(SHORTEST_RECHECK))
}

/// A validation call is free, not weightless.
const SHORTEST_RECHECK: std::time::Duration = std::time::Duration::from_secs(1);

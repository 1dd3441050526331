//! The choice of a target.
//!
//! Two stages: a member by member priority and weight among those that have a usable target, then a credential by credential priority and
//! weight inside it. A request that failed prefers, in this order: another provider than those that failed it, any target that it has not
//! tried, and last a target whose provider (not whose key) failed it. A request takes a second trial only when nothing else is usable.

use super::last_usable::last_usable;
use super::{Balancer, Pick, Place, Request, Ticket, too_big};
use crate::attempts::{Attempts, Tried};
use crate::gate::{Gate, Lease};
use crate::group::{Group, Member};
use crate::ids::{KeyId, LaneId};
use crate::member_set::MemberSet;
use crate::no_target::NoTarget;
use crate::provider::{BreakerAt, Provider, Unit, rests_on_the_way};
use crate::random::Random;
use crate::rest::Phase;
use crate::time::Time;

/// A member and a candidate of its lane.
pub(super) struct Choice {
    pub(super) member: usize,
    pub(super) candidate: usize,
}

/// What a look for a target leaves out.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) attempts: &'a Attempts,
    pub(super) avoid_failed: bool,
    pub(super) repeat: bool,
    pub(super) trials: bool,
}

impl Balancer {
    /// Chooses the target of a request's next attempt.
    ///
    /// # Errors
    /// When nothing can serve it now: why, and whether waiting helps.
    pub fn pick(&mut self, request: Request, attempts: &mut Attempts, now: Time) -> Result<Pick, NoTarget> {
        self.advance(now);
        if let Some(group) = self.groups.get_mut(request.group) {
            group.refresh(&mut self.providers, self.version);
            let wanted = too_big::left(request.members, attempts, group, &self.providers);
            let choice = choose(group, &self.providers, wanted, attempts, &mut self.random)
                .or_else(|| last_usable(group, &self.providers, wanted, attempts, &mut self.random, now));
            if let Some(pick) = choice.and_then(|choice| self.start(&choice, request, attempts, now)) {
                return Ok(pick);
            }
        }
        self.refund(attempts, now);
        Err(self.no_target(request, attempts, now))
    }

    fn start(
        &mut self,
        choice: &Choice,
        request: Request,
        attempts: &mut Attempts,
        now: Time,
    ) -> Option<Pick> {
        let sent = self.next_tick();
        let group = self.groups.get(request.group)?;
        let retry = group.config.retry;
        let Member { provider, lane, .. } = *group.members.get(choice.member)?;
        let held = self.providers.get_mut(provider)?;
        let lane_id = held.lanes.get(lane)?.id;
        let candidate = *held.lanes.get(lane)?.candidates.get(choice.candidate)?;
        let key = held.keys.get(candidate.key)?.id;
        let quota = held.credentials.get(candidate.credential)?.quota;
        let place = Place {
            provider,
            key: candidate.key,
            quota,
            lane,
        };
        let lease = if request.streamed {
            held.config.stream_lease
        } else {
            held.config.response_lease
        };
        let provider_id = held.id;
        if attempts.charged.take().is_none() {
            held.budget.request(now);
        }
        let trial = !matches!(candidate.gate, Gate::Pass { .. });
        if trial {
            attempts.trials += 1;
            self.lend_all(
                place,
                Lease {
                    holder: sent,
                    until: now.after(lease),
                },
                now,
            );
        }
        attempts.tried.push(Tried {
            lane: lane_id,
            key,
            again: false,
            back: None,
        });
        let ticket = Ticket {
            provider: provider_id,
            key,
            lane: lane_id,
            sent,
            trial,
            retry,
            epoch: self.epoch,
            place,
        };
        Some(Pick {
            ticket,
            member: choice.member,
            provider,
            credential: candidate.credential,
            trial,
        })
    }

    fn lend_all(&mut self, place: Place, lease: Lease, now: Time) {
        for unit in place.units() {
            let resting = match (unit, self.providers.get(place.provider)) {
                (Unit::Rest(at), Some(held)) => held
                    .rest(at)
                    .is_some_and(|rest| !matches!(rest.phase(), Phase::Clear | Phase::SlowStart { .. })),
                (Unit::Breaker(at), Some(held)) => held.breaker(at).is_some_and(|b| b.gate() == Gate::Trial),
                (_, None) => false,
            };
            if resting {
                self.lend(place.provider, unit, lease, now);
            }
        }
    }

    fn refund(&mut self, attempts: &mut Attempts, now: Time) {
        if let Some(charged) = attempts.charged.take()
            && let Some(provider) = self.providers.iter_mut().find(|provider| provider.id == charged)
        {
            provider.budget.refund(now);
        }
    }
}

impl Place {
    /// All that may stand in an attempt's way.
    pub(super) fn units(self) -> impl Iterator<Item = Unit> {
        let rests = rests_on_the_way(self.key, self.quota, self.lane).map(Unit::Rest);
        let breakers = [BreakerAt::Endpoint, BreakerAt::Lane(self.lane)].map(Unit::Breaker);
        rests.into_iter().chain(breakers)
    }
}

impl Look<'_> {
    pub(super) fn bars(&self, lane: LaneId, key: KeyId) -> bool {
        let bars = |tried: &Tried| tried.lane == lane && tried.key == key && !(self.repeat && tried.again);
        self.attempts.tried.iter().any(bars) || self.attempts.same_limit.contains(&(lane, key))
    }

    /// Whether a member has a target that this look may choose.
    fn finds(&self, provider: &Provider, lane: usize) -> bool {
        let Some(lane) = provider.lanes.get(lane) else {
            return false;
        };
        let failed = self.avoid_failed && self.attempts.failed.contains(&provider.id);
        !failed
            && lane.candidates.iter().any(|candidate| {
                let open = match candidate.gate {
                    Gate::Pass { .. } => true,
                    Gate::Trial => self.trials,
                    Gate::Block => false,
                };
                open && provider
                    .keys
                    .get(candidate.key)
                    .is_some_and(|key| !self.bars(lane.id, key.id))
            })
    }
}

fn choose(
    group: &mut Group,
    providers: &[Provider],
    wanted: MemberSet,
    attempts: &Attempts,
    random: &mut Random,
) -> Option<Choice> {
    let open = wanted.and(group.open);
    let fresh = Look {
        attempts,
        avoid_failed: false,
        repeat: false,
        trials: true,
    };
    if attempts.tried.is_empty() {
        return take(group, providers, wanted, open, fresh, random);
    }
    for (avoid_failed, repeat) in [(true, false), (false, false), (false, true)] {
        for trials in [false, true] {
            if !trials && attempts.trials == 0 {
                continue;
            }
            let look = Look {
                avoid_failed,
                repeat,
                trials,
                ..fresh
            };
            let finds = |index: &usize| {
                let member = group.members.get(*index)?;
                providers
                    .get(member.provider)
                    .filter(|provider| look.finds(provider, member.lane))
            };
            let able = MemberSet::of(open.iter().filter(|index| finds(index).is_some()));
            if !able.is_empty() {
                return take(group, providers, wanted, able, look, random);
            }
        }
    }
    None
}

/// Chooses among `able` members, each of which has a target for this look.
fn take(
    group: &mut Group,
    providers: &[Provider],
    wanted: MemberSet,
    able: MemberSet,
    look: Look<'_>,
    random: &mut Random,
) -> Option<Choice> {
    let tier = group.tiers.iter().position(|tier| !tier.and(able).is_empty())?;
    let member = group.pick_member(wanted, tier, able.and(*group.tiers.get(tier)?), random)?;
    let strategy = group.config.strategy;
    let held = group.members.get_mut(member)?;
    let provider = providers.get(held.provider)?;
    let lane = provider.lanes.get(held.lane)?;
    let unbarred = |index: usize| {
        look.attempts.tried.is_empty()
            || lane
                .candidates
                .get(index)
                .and_then(|candidate| provider.keys.get(candidate.key))
                .is_some_and(|key| !look.bars(lane.id, key.id))
    };
    let candidate = held.pick_candidate(lane, strategy, look.trials, random, unbarred)?;
    Some(Choice { member, candidate })
}

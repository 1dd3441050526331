//! From an outcome to states: who is to blame decides what changes.
//!
//! Limits and credit rest the quota group (credit of a part of it the key), a refused key itself, a refused model the key's use of that model.
//! Faults of endpoint and provider go to breakers and never to a key, or one outage would burn the pool key by key. A verdict that the request
//! itself may have caused cools at most one key per request, and not always (`doubt`).

use super::blame::{Heard, blame};
use super::units::recheck_interval;
use super::{Balancer, Place, Ticket};
use crate::attempts::{Attempts, Doubt};
use crate::cooldown::Jitter;
use crate::ids::Tick;
use crate::observation::{Observation, Proof};
use crate::provider::{BreakerAt, RestAt, rests_on_the_way};
use crate::rest::{Kind, Refusal};
use crate::time::Time;
use crate::verdict::Finding;

impl Balancer {
    pub(super) fn learn(
        &mut self,
        ticket: &Ticket,
        place: Place,
        observation: Observation,
        attempts: &mut Attempts,
        now: Time,
    ) {
        if observation == Observation::Success {
            self.succeed(ticket.sent, place, now);
            if let Some(doubt) = attempts.doubt.take() {
                self.clear_up(doubt, place, now);
            }
        }
        self.judge_provider(ticket.sent, place, observation, now);
        if ticket.trial {
            // After the success and the breakers have used it: what is left told nothing.
            self.take_back_all(ticket.sent, place, now);
        }
        let Some((at, .., proof)) = blame(place, observation) else {
            return;
        };
        let heard = Heard {
            sent: ticket.sent,
            known: self.next_tick(),
            at: now,
            doubtful: proof == Proof::Ambiguous,
        };
        if heard.doubtful {
            if attempts.doubt.is_some() {
                return;
            }
            let believed = self.is_believed(place, at, now);
            attempts.doubt = Some(Doubt {
                ticket: *ticket,
                observation,
                known: heard.known,
                at: now,
                believed,
            });
            if !believed {
                self.watch(place.provider, at);
                return;
            }
        }
        self.cool(heard, place, observation, now);
    }

    /// A refusal has its consequence.
    pub(super) fn cool(&mut self, heard: Heard, place: Place, observation: Observation, now: Time) {
        let Some((at, kind, hint, _)) = blame(place, observation) else {
            return;
        };
        let Some(held) = self.providers.get(place.provider) else {
            return;
        };
        let Some(by) = held.keys.get(place.key).map(|key| key.fingerprint.clone()) else {
            return;
        };
        let refusal = Refusal {
            kind,
            hint,
            by: &by,
            doubtful: heard.doubtful,
            sent: heard.sent,
            known: heard.known,
            at: heard.at,
        };
        match observation {
            Observation::Auth { dead_code, .. } => self.bench(&refusal, place, dead_code, now),
            _ => self.refuse(&refusal, place.provider, at, now),
        }
    }

    /// Lays something to rest and tells it.
    fn refuse(&mut self, refusal: &Refusal<'_>, provider: usize, at: RestAt, now: Time) {
        let Some(limits) = self.providers.get(provider).map(|held| held.config.cooldown) else {
            return;
        };
        self.change_rest(provider, at, |rest, random| {
            rest.refuse(refusal, limits, random, now);
        });
        self.tell_rest(provider, at, now);
    }

    /// A refusal of the key: benched, with one validation call to confirm; where there is none, a second request's refusal is enough. One that
    /// its request may have caused confirms only where another key has served the first request, or where there is no other key and this one
    /// has never served: else the two requests may have been of a kind that the server always refuses, and the key rests, with early trials.
    fn bench(&mut self, refusal: &Refusal<'_>, place: Place, dead_code: bool, now: Time) {
        let at = RestAt::Key(place.key);
        let Some(held) = self.providers.get_mut(place.provider) else {
            return;
        };
        let probed = recheck_interval(held, place.key).is_some();
        let lane = held.lanes.get(place.lane);
        let alone = lane.is_some_and(|lane| lane.candidates.iter().all(|other| other.key == place.key));
        let Some(key) = held.keys.get_mut(place.key) else {
            return;
        };
        let cleared = key.whole.own.as_ref().is_some_and(|own| !own.doubtful);
        let sure = !refusal.doubtful || cleared || (alone && !key.is_proven());
        let confirmed = dead_code && key.suspected && !probed && sure;
        key.suspected |= dead_code;
        if probed && key.whole.kind() == Some(Kind::Invalid) {
            return;
        }
        // An answer to something sent before the key was benched asks for no further call.
        let straggler = key.whole.is_ahead_of(refusal.sent);
        if confirmed {
            self.condemn(place.provider, place.key, now);
            return;
        }
        self.refuse(refusal, place.provider, at, now);
        if !straggler {
            self.ask(place.provider, place.key, now);
        }
    }

    /// A dead key is out until its value changes; it is looked at again, slowly, because vendors mend keys too.
    pub(super) fn condemn(&mut self, provider: usize, key: usize, now: Time) {
        let known = self.next_tick();
        let Some(held) = self.providers.get(provider) else {
            return;
        };
        let Some(by) = held.keys.get(key).map(|key| key.fingerprint.clone()) else {
            return;
        };
        let pause = recheck_interval(held, key).unwrap_or(held.config.cooldown.max);
        self.change_rest(provider, RestAt::Key(key), |rest, random| {
            rest.condemn(&by, known, now.after(Jitter::draw(random).stretch(pause)), now);
        });
        self.tell_rest(provider, RestAt::Key(key), now);
    }

    fn succeed(&mut self, sent: Tick, place: Place, now: Time) {
        let known = self.next_tick();
        self.prove(place.provider, place.key, sent, now);
        let lanes = self.providers.get_mut(place.provider).map(|held| &mut held.lanes);
        if let Some(lane) = lanes.and_then(|lanes| lanes.get_mut(place.lane)) {
            lane.served = Some(now);
        }
        let mut refuted = Vec::new();
        for at in rests_on_the_way(place.key, place.quota, place.lane) {
            // Looked up first: nothing is made for a rest that never was.
            let held = self.providers.get(place.provider).and_then(|held| held.rest(at));
            if held.is_some() {
                refuted.extend(
                    self.change_rest(place.provider, at, |rest, _| rest.succeed(sent, known, now))
                        .into_iter()
                        .flatten(),
                );
            }
        }
        self.tell_refuted(place.provider, &[place.key], refuted, now);
    }

    /// A value works: told the first time.
    pub(super) fn prove(&mut self, provider: usize, key: usize, sent: Tick, now: Time) {
        let Some(held) = self.providers.get_mut(provider) else {
            return;
        };
        let Some(key) = held.keys.get_mut(key) else { return };
        key.proven_by = key.proven_by.max(sent);
        key.suspected = false;
        if !key.is_proven() {
            let fingerprint = key.fingerprint.clone();
            let told = self
                .journal
                .report(&held.config.uid, now, Finding::Proven { fingerprint });
            key.proof = crate::key::Proof::Proven { told, at: now };
        }
    }

    /// Breakers and endpoint.
    fn judge_provider(&mut self, sent: Tick, place: Place, observation: Observation, now: Time) {
        let known = self.next_tick();
        let Place { provider, lane, .. } = place;
        let (endpoint, lane) = (BreakerAt::Endpoint, BreakerAt::Lane(lane));
        match observation {
            Observation::Cancelled => return,
            Observation::Completed => {
                self.change_breaker(provider, lane, |b, _| b.completed(sent));
                return;
            }
            Observation::Env(_) => {
                self.change_breaker(provider, endpoint, |b, random| {
                    b.failed(sent, known, None, random, now)
                });
            }
            Observation::Overload { hint } => {
                self.change_breaker(provider, endpoint, |b, _| b.answered(sent, now));
                self.change_breaker(provider, lane, |b, random| {
                    b.failed(sent, known, hint, random, now)
                });
            }
            Observation::Server => {
                self.change_breaker(provider, endpoint, |b, _| b.answered(sent, now));
                self.change_breaker(provider, lane, |b, random| {
                    b.failed(sent, known, None, random, now)
                });
            }
            Observation::Unanswered => {
                self.change_breaker(provider, lane, |b, random| {
                    b.failed(sent, known, None, random, now)
                });
            }
            Observation::Cut => {
                self.change_breaker(provider, lane, |b, random| b.cut(sent, known, random, now));
            }
            _ => {
                self.change_breaker(provider, endpoint, |b, _| b.answered(sent, now));
                self.change_breaker(provider, lane, |b, _| b.answered(sent, now));
            }
        }
        let Some(held) = self.providers.get_mut(provider) else {
            return;
        };
        let overloaded = held.is_overloaded();
        let news = match observation {
            Observation::Env(fault) => held.endpoint.failed(fault, now),
            Observation::Unanswered | Observation::Cut => held.endpoint.unanswered(overloaded, now),
            _ => held.endpoint.reached(overloaded, now),
        };
        self.tell_endpoint(provider, news, now);
    }

    fn take_back_all(&mut self, holder: Tick, place: Place, now: Time) {
        for unit in place.units() {
            self.take_back(place.provider, unit, holder, now);
        }
    }
}

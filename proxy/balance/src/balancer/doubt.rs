//! Refusals that the request itself may have caused: a bare 429, a 404 about a model. Some of them are true, and some requests earn them on
//! every key; one client that repeats such a request must not take the pool from all others, key by key.
//!
//! Whether the request was to blame shows at its end: one that another key of the same provider and model serves was not. (Another vendor
//! tells nothing: it may have larger limits.) So a doubt is believed at once while no other key of the provider rests on one; else it
//! waits for its request to be served, and is forgotten where it is not. Believed late, it is what it would have been at once: its rest
//! counts from the refusal, and what was served there since has refuted it. Where nobody was served for a while, nothing speaks for the
//! keys, and every doubt is believed.

use std::time::Duration;

use super::blame::{Heard, blame};
use super::{Balancer, Place};
use crate::attempts::Doubt;
use crate::cooldown;
use crate::observation::{Observation, Proof};
use crate::provider::{RestAt, rests_on_the_way};
use crate::rest::{Kind, Phase};
use crate::time::Time;

/// A lane that served so lately has keys that work. Short: until then a limit that is true costs each request some attempts.
/// As long a request that was refused without a vendor's word is told to wait.
const SERVED_LATELY: Duration = Duration::from_secs(3);

impl Balancer {
    /// Whether a doubt lays this to rest at once.
    pub(super) fn is_believed(&self, place: Place, at: RestAt, now: Time) -> bool {
        let Some(held) = self.providers.get(place.provider) else {
            return false;
        };
        let served = held.lanes.get(place.lane).and_then(|lane| lane.served);
        let rests_on_doubt = |other: RestAt| {
            held.rest(other).is_some_and(|rest| {
                let doubtful = rest.own.as_ref().is_some_and(|own| own.doubtful);
                doubtful && matches!(rest.phase(), Phase::Resting { .. })
            })
        };
        served.is_none_or(|served| now.since(served) >= SERVED_LATELY)
            || !held.rests().any(|other| other != at && rests_on_doubt(other))
    }

    /// Sees to it that successes there are noted from now on, for a doubt that is not believed yet.
    pub(super) fn watch(&mut self, provider: usize, at: RestAt) {
        if let Some(held) = self.providers.get_mut(provider) {
            held.rest_mut(at);
        }
    }

    /// When a request that was refused so may be sent again: at the vendor's word, else not at once.
    pub(super) fn doubted_until(&self, place: Place, observation: Observation, now: Time) -> Option<Time> {
        let (.., hint, proof) = blame(place, observation)?;
        let limits = self.providers.get(place.provider)?.config.cooldown;
        let pause = hint.map_or(SERVED_LATELY, |_| cooldown::span(limits, hint, false, 0));
        (proof == Proof::Ambiguous).then(|| now.after(pause))
    }

    /// The request of a doubt was served: where that was by another key of the same lane, the refusal was true.
    pub(super) fn clear_up(&mut self, doubt: Doubt, served: Place, now: Time) {
        let Some(place) = self.locate(&doubt.ticket) else {
            return;
        };
        let Some((at, ..)) = blame(place, doubt.observation) else {
            return;
        };
        let same_lane = (place.provider, place.lane) == (served.provider, served.lane);
        if !same_lane || rests_on_the_way(served.key, served.quota, served.lane).contains(&at) {
            return;
        }
        if !doubt.believed {
            if !self.is_outdated(&doubt, place, now) {
                let heard = Heard {
                    sent: doubt.ticket.sent,
                    known: doubt.known,
                    at: doubt.at,
                    doubtful: false,
                };
                self.cool(heard, place, doubt.observation, now);
            }
        } else if let Some(held) = self.providers.get_mut(place.provider)
            && let Some(own) = held.rest_mut(at).and_then(|rest| rest.own.as_mut())
        {
            own.doubtful = false;
        }
    }

    /// Whether the rest of a doubt would be over or refuted, had it been believed at once.
    fn is_outdated(&self, doubt: &Doubt, place: Place, now: Time) -> bool {
        let held = self.providers.get(place.provider);
        let Some((held, (at, kind, hint, _))) = held.zip(blame(place, doubt.observation)) else {
            return true;
        };
        let span = cooldown::span(held.config.cooldown, hint, kind == Kind::Credit, 0);
        let served = held
            .rest(at)
            .is_some_and(|rest| rest.has_served_since(doubt.known));
        served || doubt.at.after(span) <= now
    }
}

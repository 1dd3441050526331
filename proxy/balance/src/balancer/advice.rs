//! Advisories: what other processes learned. They replace each other as a whole and are kept for configurations to come.

use std::collections::{HashMap, HashSet};

use super::Balancer;
use crate::ids::Tick;
use crate::provider::{Provider, RestAt};
use crate::rest::{Advised, Kind};
use crate::time::Time;
use crate::verdict::{Advice, Advisory, Scope};

/// An advisory and since when it is known.
#[derive(Clone, Debug)]
pub(super) struct Held {
    advisory: Advisory,
    known: Tick,
    since: Time,
    /// The latest deadline that was told for it: a message that took longer must not move it back.
    until: Time,
}

impl Balancer {
    /// Replaces all advisories of other processes. One that an own success has refuted does not come back under the same name.
    pub fn apply_advisories(&mut self, advisories: &[Advisory], now: Time) {
        self.advance(now);
        let known = self.next_tick();
        let old = std::mem::take(&mut self.advisories);
        let old: HashMap<_, _> = old
            .iter()
            .map(|held| ((&held.advisory.id, &held.advisory.provider), held))
            .collect();
        let ids: HashSet<_> = advisories.iter().map(|advisory| &advisory.id).collect();
        self.refuted.retain(|id, _| ids.contains(id));
        let fresh = advisories
            .iter()
            .filter(|advisory| !self.refuted.contains_key(&advisory.id));
        self.advisories = fresh
            .filter_map(|advisory| {
                let before = old.get(&(&advisory.id, &advisory.provider));
                let until = advisory.advice.until().unwrap_or(Time::ZERO);
                // What is over when it arrives would only cost a working key a trial.
                let news = before.is_some() || advisory.advice.until().is_none_or(|until| until > now);
                news.then(|| Held {
                    advisory: advisory.clone(),
                    known: before.map_or(known, |held| held.known),
                    since: before.map_or(now, |held| held.since),
                    until: before.map_or(until, |held| held.until.max(until)),
                })
            })
            .collect();
        self.spread_advisories(now);
    }

    /// Lays the advisories on what they concern, but for those that were refuted.
    pub(super) fn spread_advisories(&mut self, now: Time) {
        for provider in 0..self.providers.len() {
            let held = &self.providers[provider];
            let mut wanted: Vec<(RestAt, Advised)> = Vec::new();
            for advisory in self
                .advisories
                .iter()
                .filter(|a| a.advisory.provider == held.config.uid)
                .filter(|a| !self.refuted.contains_key(&a.advisory.id))
            {
                let places = places(held, &advisory.advisory.advice);
                wanted.extend(places.into_iter().map(|at| (at, advisory.at(held, at))));
            }
            let mut concerned: Vec<RestAt> = held.rests().chain(wanted.iter().map(|(at, _)| *at)).collect();
            concerned.sort_unstable();
            concerned.dedup();
            for at in concerned {
                let advised: Vec<Advised> = wanted
                    .iter()
                    .filter(|(place, _)| *place == at)
                    .map(|(_, advised)| advised.clone())
                    .collect();
                let had = self.providers[provider]
                    .rest(at)
                    .is_some_and(|rest| !rest.advised.is_empty());
                if had || !advised.is_empty() {
                    self.change_rest(provider, at, |rest, _| rest.advise(advised, now));
                }
            }
        }
    }
}

impl Held {
    fn at(&self, provider: &Provider, at: RestAt) -> Advised {
        let (kind, soft) = self.advisory.advice.kind();
        // A dead key's rest has no end of its own: its next look does. One that is laid on already keeps it.
        let before = provider
            .rest(at)
            .and_then(|rest| rest.advised.iter().find(|held| held.id == self.advisory.id));
        let until = match kind {
            Kind::Invalid => {
                let pause = provider
                    .config
                    .probe_interval
                    .unwrap_or(provider.config.cooldown.max);
                before.map_or(self.since.after(pause), |before| before.until)
            }
            _ => self.until,
        };
        Advised {
            id: self.advisory.id.clone(),
            kind,
            until,
            since: self.since,
            known: self.known,
            soft,
        }
    }
}

impl Advice {
    fn until(&self) -> Option<Time> {
        match self {
            Self::Cooling { until, .. } | Self::Exhausted { until, .. } => Some(*until),
            Self::Invalid { .. } => None,
        }
    }

    fn kind(&self) -> (Kind, bool) {
        match self {
            Self::Cooling {
                reason: crate::verdict::CoolingReason::RateLimited,
                soft,
                ..
            } => (Kind::RateLimited, *soft),
            Self::Cooling {
                reason: crate::verdict::CoolingReason::Refused,
                soft,
                ..
            } => (Kind::Refused, *soft),
            Self::Exhausted { .. } => (Kind::Credit, false),
            Self::Invalid { .. } => (Kind::Invalid, false),
        }
    }
}

/// What an advisory concerns here; nothing when its value or model is not in use.
fn places(provider: &Provider, advice: &Advice) -> Vec<RestAt> {
    let scope = match advice {
        Advice::Cooling { scope, .. } | Advice::Exhausted { scope, .. } => scope.clone(),
        Advice::Invalid { fingerprint } => Scope {
            fingerprint: fingerprint.clone(),
            quota_group: false,
            model: None,
        },
    };
    let Some(key) = provider
        .keys
        .iter()
        .position(|key| key.fingerprint == scope.fingerprint)
    else {
        return Vec::new();
    };
    let lane = match &scope.model {
        Some(model) => match provider.lanes.iter().position(|lane| lane.model == *model) {
            Some(lane) => Some(lane),
            None => return Vec::new(),
        },
        None => None,
    };
    if !scope.quota_group {
        return vec![lane.map_or(RestAt::Key(key), |lane| RestAt::KeyModel(key, lane))];
    }
    let mut quotas: Vec<usize> = provider
        .credentials
        .iter()
        .filter(|c| c.key == key)
        .map(|c| c.quota)
        .collect();
    quotas.sort_unstable();
    quotas.dedup();
    quotas
        .into_iter()
        .map(|quota| lane.map_or(RestAt::Quota(quota), |lane| RestAt::QuotaModel(quota, lane)))
        .collect()
}

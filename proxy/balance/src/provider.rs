//! A provider: its keys, quota groups, credentials and lanes, and what rests or is broken among them.

use std::sync::Arc;

use crate::breaker::Breaker;
use crate::budget::Budget;
use crate::config::ProviderConfig;
use crate::endpoint::Endpoint;
use crate::gate::Gate;
use crate::ids::ProviderId;
use crate::key::Key;
use crate::lane::Lane;
use crate::rest::Rest;

/// State of one provider.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) id: ProviderId,
    pub(crate) config: ProviderConfig,
    /// Values, each once.
    pub(crate) keys: Vec<Key>,
    pub(crate) quotas: Vec<Quota>,
    /// In the configuration's order.
    pub(crate) credentials: Vec<Credential>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) breaker: Breaker,
    pub(crate) endpoint: Endpoint,
    pub(crate) budget: Budget,
}

/// A named credential's place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credential {
    pub(crate) key: usize,
    pub(crate) quota: usize,
}

/// Credentials that share one vendor limit.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    pub(crate) name: QuotaName,
    pub(crate) whole: Rest,
    /// By lane.
    pub(crate) models: Vec<(usize, Rest)>,
}

/// What makes two credentials one quota group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum QuotaName {
    /// The user's word.
    Named(Arc<str>),
    /// The same value.
    Value(Arc<str>),
}

/// Something that may rest.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum RestAt {
    Key(usize),
    KeyModel(usize, usize),
    Quota(usize),
    QuotaModel(usize, usize),
}

/// Something that may break.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum BreakerAt {
    Endpoint,
    Lane(usize),
}

/// Either.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Unit {
    Rest(RestAt),
    Breaker(BreakerAt),
}

/// All rests that an attempt passes.
pub(crate) fn rests_on_the_way(key: usize, quota: usize, lane: usize) -> [RestAt; 4] {
    [
        RestAt::Key(key),
        RestAt::KeyModel(key, lane),
        RestAt::Quota(quota),
        RestAt::QuotaModel(quota, lane),
    ]
}

impl RestAt {
    /// The one lane that it concerns; none for all.
    pub(crate) fn lane(self) -> Option<usize> {
        match self {
            Self::KeyModel(_, lane) | Self::QuotaModel(_, lane) => Some(lane),
            Self::Key(_) | Self::Quota(_) => None,
        }
    }
}

impl Provider {
    pub(crate) fn rest(&self, at: RestAt) -> Option<&Rest> {
        match at {
            RestAt::Key(key) => self.keys.get(key).map(|key| &key.whole),
            RestAt::Quota(quota) => self.quotas.get(quota).map(|quota| &quota.whole),
            RestAt::KeyModel(key, lane) => self.keys.get(key).and_then(|key| of_lane(&key.models, lane)),
            RestAt::QuotaModel(quota, lane) => self
                .quotas
                .get(quota)
                .and_then(|quota| of_lane(&quota.models, lane)),
        }
    }

    /// The rest there, made when there is none; `None` only for a key or quota group that does not exist.
    pub(crate) fn rest_mut(&mut self, at: RestAt) -> Option<&mut Rest> {
        match at {
            RestAt::Key(key) => self.keys.get_mut(key).map(|key| &mut key.whole),
            RestAt::Quota(quota) => self.quotas.get_mut(quota).map(|quota| &mut quota.whole),
            RestAt::KeyModel(key, lane) => self
                .keys
                .get_mut(key)
                .and_then(|key| of_lane_mut(&mut key.models, lane)),
            RestAt::QuotaModel(quota, lane) => self
                .quotas
                .get_mut(quota)
                .and_then(|quota| of_lane_mut(&mut quota.models, lane)),
        }
    }

    pub(crate) fn breaker(&self, at: BreakerAt) -> Option<&Breaker> {
        match at {
            BreakerAt::Endpoint => Some(&self.breaker),
            BreakerAt::Lane(lane) => self.lanes.get(lane).map(|lane| &lane.breaker),
        }
    }

    pub(crate) fn breaker_mut(&mut self, at: BreakerAt) -> Option<&mut Breaker> {
        match at {
            BreakerAt::Endpoint => Some(&mut self.breaker),
            BreakerAt::Lane(lane) => self.lanes.get_mut(lane).map(|lane| &mut lane.breaker),
        }
    }

    /// Everything that may rest and is not clear.
    pub(crate) fn rests(&self) -> impl Iterator<Item = RestAt> {
        let keys = self.keys.iter().enumerate().flat_map(|(index, key)| {
            let whole = (!key.whole.is_clear()).then_some(RestAt::Key(index));
            let models = key.models.iter().filter(|(_, rest)| !rest.is_clear());
            whole
                .into_iter()
                .chain(models.map(move |(lane, _)| RestAt::KeyModel(index, *lane)))
        });
        let quotas = self.quotas.iter().enumerate().flat_map(|(index, quota)| {
            let whole = (!quota.whole.is_clear()).then_some(RestAt::Quota(index));
            let models = quota.models.iter().filter(|(_, rest)| !rest.is_clear());
            whole
                .into_iter()
                .chain(models.map(move |(lane, _)| RestAt::QuotaModel(index, *lane)))
        });
        keys.chain(quotas)
    }

    /// Everything that may break.
    pub(crate) fn breakers(&self) -> impl Iterator<Item = BreakerAt> + use<> {
        std::iter::once(BreakerAt::Endpoint).chain((0..self.lanes.len()).map(BreakerAt::Lane))
    }

    /// The gate of a key in a quota group on a lane, breakers aside.
    pub(crate) fn rest_gate(&self, key: usize, quota: usize, lane: usize) -> Gate {
        rests_on_the_way(key, quota, lane)
            .into_iter()
            .filter_map(|at| self.rest(at))
            .fold(Gate::OPEN, |gate, rest| gate.and(rest.gate()))
    }

    /// The gate of the endpoint and a lane's breaker.
    pub(crate) fn breaker_gate(&self, lane: usize) -> Gate {
        let lane = self
            .lanes
            .get(lane)
            .map_or(Gate::Block, |lane| lane.breaker.gate());
        self.breaker.gate().and(lane)
    }

    /// Looks at the gates of a lane's candidates again.
    pub(crate) fn refresh(&mut self, index: usize) {
        let breakers = self.breaker_gate(index);
        let Some(lane) = self.lanes.get_mut(index) else {
            return;
        };
        let mut candidates = std::mem::take(&mut lane.candidates);
        for candidate in &mut candidates {
            let quota = self
                .credentials
                .get(candidate.credential)
                .map_or(usize::MAX, |held| held.quota);
            candidate.gate = breakers.and(self.rest_gate(candidate.key, quota, index));
        }
        if let Some(lane) = self.lanes.get_mut(index) {
            lane.candidates = candidates;
            lane.version += 1;
            lane.stale = false;
        }
    }

    /// Whether every model in use is broken.
    pub(crate) fn is_overloaded(&self) -> bool {
        let mut used = self.lanes.iter().filter(|lane| lane.in_use).peekable();
        used.peek().is_some() && used.all(|lane| lane.breaker.is_tripped())
    }
}

fn of_lane(models: &[(usize, Rest)], lane: usize) -> Option<&Rest> {
    models
        .iter()
        .find(|(index, _)| *index == lane)
        .map(|(_, rest)| rest)
}

fn of_lane_mut(models: &mut Vec<(usize, Rest)>, lane: usize) -> Option<&mut Rest> {
    let index = models
        .iter()
        .position(|(index, _)| *index == lane)
        .unwrap_or_else(|| {
            models.push((lane, Rest::default()));
            models.len() - 1
        });
    models.get_mut(index).map(|(_, rest)| rest)
}

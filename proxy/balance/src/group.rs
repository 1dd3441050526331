//! A group: its members by priority, and who is next among them and within each.
//!
//! Requests that may use different members are different *classes*, each with its own turn, so that a client which always names one member
//! does not bend the shares of the others. A member's credentials take turns over all its requests.

use crate::config::{GroupConfig, Strategy};
use crate::gate::Gate;
use crate::lane::Lane;
use crate::member_set::MemberSet;
use crate::provider::Provider;
use crate::random::Random;
use crate::wrr::Wrr;

/// Classes whose turn is remembered; beyond, the one unused longest starts anew.
const CLASSES: usize = 64;
/// Weights are counted in eighths, for the slow start.
const EIGHTHS: u64 = 8;

/// State of one group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) config: GroupConfig,
    pub(crate) members: Vec<Member>,
    /// Members with a weight.
    pub(crate) active: MemberSet,
    /// Active members that have a target which is open now.
    pub(crate) open: MemberSet,
    /// Members of one priority, lower first.
    pub(crate) tiers: Vec<MemberSet>,
    pub(crate) classes: Vec<Class>,
    /// The balancer's version that `open` is of.
    seen: Option<u64>,
    picks: u64,
}

/// One member's place and turn.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) provider: usize,
    pub(crate) lane: usize,
    pub(crate) tiers: Vec<Tier>,
    /// The lane's version that `tiers` are of.
    pub(crate) seen: Option<u64>,
}

/// Credentials of one priority within a member. Entries are indices of the lane's candidates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tier {
    wrr: Wrr,
    trials: Vec<usize>,
}

/// Requests that may use the same members, within one priority.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    eligible: MemberSet,
    tier: usize,
    wrr: Wrr,
    built: MemberSet,
    used: u64,
}

impl Group {
    pub(crate) fn new(config: GroupConfig, members: Vec<Member>) -> Self {
        let mut priorities: Vec<u32> = config.members.iter().map(|member| member.priority).collect();
        priorities.sort_unstable();
        priorities.dedup();
        let of = |wanted: &dyn Fn(u32, u32) -> bool| {
            let named = config.members.iter().enumerate();
            MemberSet::of(
                named
                    .filter(|(_, m)| wanted(m.priority, m.weight))
                    .map(|(index, _)| index),
            )
        };
        let tiers = priorities
            .into_iter()
            .map(|p| of(&|priority, weight| priority == p && weight > 0))
            .collect();
        let active = of(&|_, weight| weight > 0);
        let open = MemberSet::NONE;
        Self {
            config,
            members,
            active,
            open,
            tiers,
            classes: Vec::new(),
            seen: None,
            picks: 0,
        }
    }

    /// Brings `open` up to date.
    pub(crate) fn refresh(&mut self, providers: &mut [Provider], version: u64) {
        if self.seen == Some(version) {
            return;
        }
        self.seen = Some(version);
        self.open = MemberSet::NONE;
        for index in self.active.iter() {
            let Some(member) = self.members.get(index) else {
                continue;
            };
            let Some(provider) = providers.get_mut(member.provider) else {
                continue;
            };
            if provider.lanes.get(member.lane).is_some_and(|lane| lane.stale) {
                provider.refresh(member.lane);
            }
            if provider.lanes.get(member.lane).is_some_and(Lane::is_open) {
                self.open = self.open.with(index);
            }
        }
    }

    /// Whose turn it is among `able`, a part of the open members of one tier.
    pub(crate) fn pick_member(
        &mut self,
        eligible: MemberSet,
        tier: usize,
        able: MemberSet,
        random: &mut Random,
    ) -> Option<usize> {
        let eligible = eligible.and(self.active);
        let turn = eligible.and(self.open).and(*self.tiers.get(tier)?);
        self.picks += 1;
        let index = self.class(eligible, tier);
        let (config, class) = (&self.config, self.classes.get_mut(index)?);
        class.used = self.picks;
        if class.built != turn {
            class.built = turn;
            let weight = |member: usize| match config.strategy {
                Strategy::RoundRobin => 1,
                Strategy::WeightedRoundRobin => config.members.get(member).map_or(1, |m| u64::from(m.weight)),
            };
            let mut entries = [(0u32, 0u64); crate::config::MAX_MEMBERS];
            let mut count = 0;
            for (entry, member) in entries.iter_mut().zip(turn.iter()) {
                *entry = (member as u32, weight(member));
                count += 1;
            }
            class.wrr.set(entries.iter().take(count).copied(), random);
        }
        class
            .wrr
            .pick(random, |member| able.has(member as usize))
            .map(|member| member as usize)
    }

    fn class(&mut self, eligible: MemberSet, tier: usize) -> usize {
        let known = self
            .classes
            .iter()
            .position(|class| class.eligible == eligible && class.tier == tier);
        if let Some(index) = known {
            return index;
        }
        let class = Class {
            eligible,
            tier,
            wrr: Wrr::default(),
            built: MemberSet::NONE,
            used: 0,
        };
        let oldest = self
            .classes
            .iter()
            .enumerate()
            .min_by_key(|(_, class)| class.used)
            .map(|(index, _)| index);
        match oldest {
            Some(index) if self.classes.len() >= CLASSES => {
                self.classes[index] = class;
                index
            }
            _ => {
                self.classes.push(class);
                self.classes.len() - 1
            }
        }
    }
}

impl Member {
    pub(crate) fn new(provider: usize, lane: usize) -> Self {
        Self {
            provider,
            lane,
            tiers: Vec::new(),
            seen: None,
        }
    }

    /// Whose turn it is among the lane's candidates for which `allowed` holds: the lowest priority that has one. A trial goes first, because
    /// nothing else brings a target back, unless this request had its share of trials.
    pub(crate) fn pick_candidate(
        &mut self,
        lane: &Lane,
        strategy: Strategy,
        trials: bool,
        random: &mut Random,
        allowed: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        self.refresh(lane, strategy, random);
        self.tiers.iter_mut().find_map(|tier| {
            let trial = if trials {
                tier.pick_trial(random, &allowed)
            } else {
                None
            };
            trial.or_else(|| {
                tier.wrr
                    .pick(random, |index| allowed(index as usize))
                    .map(|index| index as usize)
            })
        })
    }

    fn refresh(&mut self, lane: &Lane, strategy: Strategy, random: &mut Random) {
        if self.seen == Some(lane.version) {
            return;
        }
        self.seen = Some(lane.version);
        self.tiers.resize_with(lane.tiers.len(), Tier::default);
        for (tier, range) in self.tiers.iter_mut().zip(&lane.tiers) {
            let candidates = range
                .clone()
                .filter_map(|index| Some((index, lane.candidates.get(index)?)));
            tier.trials.clear();
            tier.trials.extend(
                candidates
                    .clone()
                    .filter(|(_, candidate)| candidate.gate == Gate::Trial)
                    .map(|(index, _)| index),
            );
            let weights = candidates.filter_map(|(index, candidate)| match candidate.gate {
                Gate::Pass { slow } => {
                    let weight = if strategy == Strategy::RoundRobin {
                        1
                    } else {
                        candidate.weight
                    };
                    Some((index as u32, (u64::from(weight) * EIGHTHS) >> slow))
                }
                Gate::Trial | Gate::Block => None,
            });
            tier.wrr.set(weights, random);
        }
    }
}

impl Tier {
    fn pick_trial(&self, random: &mut Random, allowed: impl Fn(usize) -> bool) -> Option<usize> {
        let count = self.trials.len();
        let start = random.below(count as u64) as usize;
        (0..count)
            .filter_map(|step| self.trials.get((start + step) % count).copied())
            .find(|index| allowed(*index))
    }
}

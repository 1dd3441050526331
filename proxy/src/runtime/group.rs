//! A group, ready to be asked: which members does a request's model mean?
//!
//! The rule (first match): no model, the group's name or one of its aliases → all members; a member's name, alias or
//! upstream model → the members that have it; anything else is unknown, and the group says what then. The group comes
//! first because people give a group the name of the model that it stands for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use keypool_balance::MemberSet;
use keypool_contract::document::{Ambiguous, Group as Document, Strategy, UnknownModel};

use super::provider::Provider;
use crate::telemetry::{GroupMeters, MemberMeters, Metrics};

/// One group.
#[derive(Debug)]
pub struct Group {
    /// Its place in the snapshot.
    pub index: usize,
    /// Namespace of the LoadBalanceGroup.
    pub namespace: Box<str>,
    /// Name of the LoadBalanceGroup.
    pub name: Box<str>,
    /// What requests are balanced over, in the document's order.
    pub members: Vec<Arc<Member>>,
    /// How a target is chosen within a priority.
    pub strategy: Strategy,
    /// Attempts for a provider's faults, the first included.
    pub attempts: u32,
    /// After a request's arrival; no attempt starts later.
    pub deadline: Duration,
    /// Whether a request that may have been worked on is sent again.
    pub ambiguous: Ambiguous,
    /// Whether anyone may call.
    pub insecure: bool,
    /// Every name that clients can ask for, without repetition: the group's, then the members'.
    pub models: Vec<Box<str>>,
    pub(crate) meters: GroupMeters,
    unknown_model: UnknownModel,
    resolution: HashMap<Box<str>, MemberSet>,
}

/// One provider with one upstream model.
#[derive(Debug)]
pub struct Member {
    /// Its place in the group, its index in a [`MemberSet`].
    pub index: usize,
    /// Name within the group.
    pub name: Box<str>,
    /// The provider.
    pub provider: Arc<Provider>,
    /// The model that the provider is asked for.
    pub model: Box<str>,
    /// Lower first.
    pub priority: u32,
    /// Share within a priority.
    pub weight: u32,
    /// The name as the value of `x-keypool-member`.
    pub header: HeaderValue,
    pub(crate) meters: MemberMeters,
}

/// What a request's model means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// These members serve it.
    Members(MemberSet),
    /// Nothing has this name, and the group does not balance unknown models: 404.
    Unknown,
}

impl Group {
    pub(super) fn new(
        index: usize,
        document: &Document,
        providers: &HashMap<&str, Arc<Provider>>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let all = MemberSet::of(0..document.members.len());
        let mut names = Names::default();
        for name in std::iter::once(&document.name).chain(&document.aliases) {
            names.group(name, all);
        }
        let mut members = Vec::with_capacity(document.members.len());
        for member in &document.members {
            // `Document::check` has seen to it that the provider is there.
            let Some(provider) = providers.get(member.provider.as_str()) else {
                continue;
            };
            members.push(Arc::new(Member {
                index: members.len(),
                name: member.name.as_str().into(),
                provider: provider.clone(),
                model: member.model.as_str().into(),
                priority: member.priority,
                weight: member.weight,
                // A name that is no header value is none of ours: the header stays empty.
                header: HeaderValue::from_str(&member.name).unwrap_or(HeaderValue::from_static("")),
                meters: MemberMeters::new(metrics.clone(), &document.name, provider.credentials.len()),
            }));
            for name in [&member.name, &member.model].into_iter().chain(&member.aliases) {
                names.member(name, members.len() - 1);
            }
        }
        Self {
            index,
            namespace: document.namespace.as_str().into(),
            name: document.name.as_str().into(),
            members,
            strategy: document.strategy,
            attempts: document.retry.attempts,
            deadline: Duration::from_millis(document.retry.deadline_ms),
            ambiguous: document.retry.ambiguous,
            insecure: document.client_access.insecure,
            models: names.order,
            meters: GroupMeters::new(metrics, &document.name),
            unknown_model: document.unknown_model,
            resolution: names.table,
        }
    }

    /// Which members serve a request for this model. Allocates nothing.
    pub fn resolve(&self, model: Option<&str>) -> Resolution {
        let Some(model) = model else {
            return Resolution::Members(self.all());
        };
        match (self.resolution.get(model), self.unknown_model) {
            (Some(members), _) => Resolution::Members(*members),
            (None, UnknownModel::Balance) => Resolution::Members(self.all()),
            (None, UnknownModel::Reject) => Resolution::Unknown,
        }
    }

    /// All members.
    pub fn all(&self) -> MemberSet {
        MemberSet::of(0..self.members.len())
    }
}

#[derive(Default)]
struct Names {
    order: Vec<Box<str>>,
    groups: usize,
    table: HashMap<Box<str>, MemberSet>,
}

impl Names {
    fn group(&mut self, name: &str, all: MemberSet) {
        if self.table.insert(name.into(), all).is_none() {
            self.order.push(name.into());
            self.groups += 1;
        }
    }

    fn member(&mut self, name: &str, index: usize) {
        if self.order.iter().take(self.groups).any(|known| &**known == name) {
            return;
        }
        match self.table.get_mut(name) {
            Some(members) => *members = members.with(index),
            None => {
                self.table.insert(name.into(), MemberSet::NONE.with(index));
                self.order.push(name.into());
            }
        }
    }
}

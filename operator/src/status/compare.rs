//! What counts as a change.
//!
//! Times that only say when something was seen are no change; `until` is. A write of the same status again would wake every GitOps tool for
//! nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use keypool_crds::v1alpha1::{LoadBalanceGroupStatus, ModelProviderStatus};

/// How two statuses of one object differ.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Change {
    /// Not at all.
    None,
    /// In detail: numbers, messages, ends of cooldowns.
    Detail,
    /// Something passed from one state to another: written first.
    Transition,
}

/// A status that can be compared.
pub trait Comparable: Clone + PartialEq {
    /// The same status without the times that do not count.
    #[must_use]
    fn without_times(self) -> Self;
    /// What a transition changes, as comparable words.
    fn states(&self) -> Vec<(String, String)>;

    /// How this status differs from what is stored.
    fn change_from(&self, stored: Option<&Self>) -> Change {
        let Some(stored) = stored else {
            return Change::Transition;
        };
        if stored.states() != self.states() {
            Change::Transition
        } else if stored.clone().without_times() != self.clone().without_times() {
            Change::Detail
        } else {
            Change::None
        }
    }
}

fn timeless(conditions: &mut [Condition]) {
    for condition in conditions {
        condition.last_transition_time.0 = jiff::Timestamp::UNIX_EPOCH;
    }
}

fn condition_states(conditions: &[Condition], generation: Option<i64>) -> Vec<(String, String)> {
    let of = |condition: &Condition| {
        (
            condition.type_.clone(),
            format!("{}/{}", condition.status, condition.reason),
        )
    };
    let generation = ("observedGeneration".to_owned(), format!("{generation:?}"));
    conditions.iter().map(of).chain([generation]).collect()
}

impl Comparable for ModelProviderStatus {
    fn without_times(mut self) -> Self {
        timeless(&mut self.conditions);
        for key in &mut self.keys {
            key.since = None;
        }
        self
    }

    fn states(&self) -> Vec<(String, String)> {
        let mut states = condition_states(&self.conditions, self.observed_generation);
        for key in &self.keys {
            let value = format!("{}/{}/{:?}", key.state, key.reason, key.fingerprint);
            states.push((format!("key {}", key.name), value));
            for model in &key.models {
                states.push((
                    format!("key {} {}", key.name, model.name),
                    model.state.to_string(),
                ));
            }
        }
        states
    }
}

impl Comparable for LoadBalanceGroupStatus {
    fn without_times(mut self) -> Self {
        timeless(&mut self.conditions);
        self
    }

    fn states(&self) -> Vec<(String, String)> {
        let mut states = condition_states(&self.conditions, self.observed_generation);
        let members = self.members.iter();
        states.extend(members.map(|member| (format!("member {}", member.name), member.state.to_string())));
        states
    }
}

#[cfg(test)]
mod tests;

//! What counts as a change.
//!
//! Times that only say when something was seen are no change; `until` is. A write of the same status again would wake every GitOps tool for
//! nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use keypool_crds::v1alpha1::{KeyReason, LoadBalanceGroupStatus, MemberState, ModelProviderStatus};

/// How two statuses of one object differ.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Change {
    /// Not at all.
    None,
    /// In detail: numbers, messages, ends of cooldowns.
    Detail,
    /// Something passed from one state to another, for the better or neither way: a key proved good, pods report.
    Transition,
    /// The first word about a new spec or a new value of a key: a person did something and waits for what comes of it.
    Reply,
    /// Something got worse that was well.
    Urgent,
}

/// A status that can be compared.
pub trait Comparable: Clone + PartialEq {
    /// The same status without the times that do not count.
    #[must_use]
    fn without_times(self) -> Self;
    /// What a transition changes, as comparable words.
    fn states(&self) -> Vec<(String, String)>;
    /// Those of the states that are not as they should be.
    fn troubles(&self) -> Vec<(String, String)>;
    /// What people gave: the spec that the status speaks of, and the keys' values.
    fn given(&self) -> (Option<i64>, Vec<Option<&str>>);

    /// How this status differs from what is stored.
    fn change_from(&self, stored: Option<&Self>) -> Change {
        let Some(stored) = stored else {
            return Change::Urgent;
        };
        let known = stored.troubles();
        let got_worse = self.troubles().iter().any(|trouble| !known.contains(trouble));
        if got_worse {
            Change::Urgent
        } else if stored.given() != self.given() {
            Change::Reply
        } else if stored.states() != self.states() {
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

fn condition_states(conditions: &[Condition]) -> Vec<(String, String)> {
    let of = |condition: &Condition| {
        (
            condition.type_.clone(),
            format!("{}/{}", condition.status, condition.reason),
        )
    };
    conditions.iter().map(of).collect()
}

fn condition_troubles(conditions: &[Condition]) -> Vec<(String, String)> {
    let of = |condition: &Condition| (condition.type_.clone(), condition.reason.clone());
    let untrue = conditions.iter().filter(|condition| condition.status == "False");
    untrue.map(of).collect()
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
        let mut states = condition_states(&self.conditions);
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

    fn troubles(&self) -> Vec<(String, String)> {
        let mut troubles = condition_troubles(&self.conditions);
        for key in &self.keys {
            // A refusal is confirmed, or not, a moment later: that is the word to wait for.
            if !key.state.usable() && key.reason != KeyReason::Refused {
                troubles.push((format!("key {}", key.name), key.state.to_string()));
            }
            let models = key.models.iter();
            let models = models.filter(|model| !model.state.usable() && model.reason != KeyReason::Refused);
            troubles.extend(models.map(|model| {
                (
                    format!("key {} {}", key.name, model.name),
                    model.state.to_string(),
                )
            }));
        }
        troubles
    }

    fn given(&self) -> (Option<i64>, Vec<Option<&str>>) {
        let values = self.keys.iter().map(|key| key.fingerprint.as_deref());
        (self.observed_generation, values.collect())
    }
}

impl Comparable for LoadBalanceGroupStatus {
    fn without_times(mut self) -> Self {
        timeless(&mut self.conditions);
        self
    }

    fn states(&self) -> Vec<(String, String)> {
        let mut states = condition_states(&self.conditions);
        let members = self.members.iter();
        states.extend(members.map(|member| (format!("member {}", member.name), member.state.to_string())));
        states
    }

    fn troubles(&self) -> Vec<(String, String)> {
        let mut troubles = condition_troubles(&self.conditions);
        let members = self
            .members
            .iter()
            .filter(|member| member.state != MemberState::Healthy);
        troubles.extend(members.map(|member| (format!("member {}", member.name), member.state.to_string())));
        troubles
    }

    fn given(&self) -> (Option<i64>, Vec<Option<&str>>) {
        (self.observed_generation, Vec::new())
    }
}

#[cfg(test)]
mod tests;

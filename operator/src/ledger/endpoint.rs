//! How a provider's endpoint answers, over all pods.
//!
//! A pod tells when its view changes. The endpoint counts as reached when one of the pods that spoke within the last minute
//! reached it; when nobody spoke, the last word stands, because silence changes no state. One pod's trouble is so told for a
//! provider that the others do not use at the moment, and outvoted where they do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keypool_contract::verdict::EndpointState;

use crate::moment::Monotonic;

const FRESH: Duration = Duration::from_secs(60);

/// The last word of every pod, by instance.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct EndpointRecord(BTreeMap<String, (Monotonic, EndpointState)>);

impl EndpointRecord {
    /// Whether this changes the merged word, or lets it change by itself earlier than before. A pod repeats what has not changed.
    pub(super) fn say(
        &mut self,
        instance: &str,
        state: EndpointState,
        learned: Monotonic,
        now: Monotonic,
    ) -> bool {
        let word = (learned, state);
        if self.0.get(instance).is_some_and(|last| *last >= word) {
            return false;
        }
        let (before, due) = (self.state(now), self.next_change(now));
        self.0.insert(instance.to_owned(), word);
        let sooner = |at| due.is_none_or(|due| at < due);
        before != self.state(now) || self.next_change(now).is_some_and(sooner)
    }

    /// The merged word; none when nobody ever spoke.
    pub(super) fn state(&self, now: Monotonic) -> Option<EndpointState> {
        let fresh = self
            .0
            .values()
            .filter(|(learned, _)| now.since(*learned) <= FRESH);
        let newest = self.0.values().max();
        let mut words: Vec<_> = fresh.collect();
        if words.is_empty() {
            words.extend(newest);
        }
        if words.iter().any(|(_, state)| *state == EndpointState::Reachable) {
            return Some(EndpointState::Reachable);
        }
        words.into_iter().max().map(|(_, state)| *state)
    }

    /// When the merged word changes by itself, because another one stops being fresh.
    pub(super) fn next_change(&self, now: Monotonic) -> Option<Monotonic> {
        let state = self.state(now);
        let others = self.0.values().any(|(_, other)| Some(*other) != state);
        let ends = self
            .0
            .values()
            .filter(|_| others)
            .map(|(learned, _)| *learned + FRESH + Duration::from_millis(1));
        ends.filter(|end| now < *end && self.state(*end) != state).min()
    }

    /// Drops the words of pods that are gone, once a living one has spoken.
    pub(super) fn keep_instances(&mut self, live: &BTreeSet<String>) {
        if self.0.keys().any(|instance| live.contains(instance)) {
            self.0.retain(|instance, _| live.contains(instance));
        }
    }
}

//! What a watch knows to be there.
//!
//! After a gap that is too long to be told event by event, a watch lists anew, and an object that went in the gap is simply not
//! in the list. Whoever depends on it must hear of its end all the same, so what is known is compared with every new list.
//! A list is told as a whole once it is complete: the copies of a reflector change only then, and who is woken earlier finds the old ones.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use kube::runtime::watcher::Event;

use super::Change;

/// The objects that are there, by UID: one that was deleted and made anew is another one.
pub(super) struct Living<K> {
    known: HashMap<String, Kept>,
    /// What the list that is under way has brought.
    listing: Vec<K>,
}

/// What is remembered of an object for the day on which it is gone: enough to find who depends on it.
struct Kept {
    namespace: Option<String>,
    name: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    owners: Option<Vec<OwnerReference>>,
}

impl<K> Default for Living<K> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            listing: Vec::new(),
        }
    }
}

impl<K: Resource> Living<K> {
    /// What an event of the watch means to who is woken by it.
    pub(super) fn take_in(&mut self, event: Event<K>) -> Vec<Change<K>> {
        match event {
            Event::Apply(object) => {
                self.known.insert(uid(&object), Kept::of(&object));
                vec![Change::Applied(object)]
            }
            Event::Delete(object) => {
                let uid = uid(&object);
                let kept = self.known.remove(&uid).unwrap_or_else(|| Kept::of(&object));
                vec![Change::Deleted(kept.gone(uid))]
            }
            // A list that broke off is begun again from its start.
            Event::Init => {
                self.listing.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listing.push(object);
                Vec::new()
            }
            Event::InitDone => self.compare(),
        }
    }

    fn compare(&mut self) -> Vec<Change<K>> {
        let listed = std::mem::take(&mut self.listing);
        let living = listed.iter().map(|object| (uid(object), Kept::of(object)));
        let before = std::mem::replace(&mut self.known, living.collect());
        let vanished = before
            .into_iter()
            .filter(|(uid, _)| !self.known.contains_key(uid));
        let vanished = vanished.map(|(uid, kept)| Change::Deleted(kept.gone(uid)));
        vanished.chain(listed.into_iter().map(Change::Applied)).collect()
    }
}

impl Kept {
    fn of(object: &impl Resource) -> Self {
        let meta = object.meta();
        Self {
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            labels: meta.labels.clone(),
            owners: meta.owner_references.clone(),
        }
    }

    fn gone(self, uid: String) -> Box<ObjectMeta> {
        Box::new(ObjectMeta {
            uid: Some(uid),
            namespace: self.namespace,
            name: self.name,
            labels: self.labels,
            owner_references: self.owners,
            ..ObjectMeta::default()
        })
    }
}

fn uid(object: &impl Resource) -> String {
    object.meta().uid.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    fn object(name: &str, uid: &str) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                uid: Some(uid.into()),
                namespace: Some("team".into()),
                name: Some(name.into()),
                labels: Some(BTreeMap::from([("of".to_owned(), name.to_owned())])),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        }
    }

    fn words(changes: Vec<Change<ConfigMap>>) -> Vec<String> {
        let word = |change: &Change<ConfigMap>| {
            let sign = if matches!(change, Change::Applied(_)) {
                '+'
            } else {
                '-'
            };
            format!("{sign}{}", change.meta().uid.as_deref().unwrap_or_default())
        };
        changes.iter().map(word).collect()
    }

    fn list(living: &mut Living<ConfigMap>, objects: &[(&str, &str)]) -> Vec<String> {
        let applied = objects
            .iter()
            .map(|(name, uid)| Event::InitApply(object(name, uid)));
        let events = std::iter::once(Event::Init)
            .chain(applied)
            .chain([Event::InitDone]);
        words(events.flat_map(|event| living.take_in(event)).collect())
    }

    #[test]
    fn what_went_in_a_gap_is_told_with_all_that_finds_its_dependants() {
        let mut living = Living::default();
        assert_eq!(list(&mut living, &[("a", "1"), ("b", "2")]), ["+1", "+2"]);
        living.take_in(Event::Apply(object("c", "3")));
        living.take_in(Event::Init);
        living.take_in(Event::InitApply(object("b", "2")));
        living.take_in(Event::InitApply(object("c", "3")));
        let told = living.take_in(Event::InitDone);
        assert!(matches!(&told[0], Change::Deleted(meta) if **meta == object("a", "1").metadata));
        assert_eq!(words(told), ["-1", "+2", "+3"]);
        assert_eq!(list(&mut living, &[("b", "2"), ("c", "3")]), ["+2", "+3"], "once");
    }

    #[test]
    fn one_that_was_made_anew_in_a_gap_is_another_one() {
        let mut living = Living::default();
        list(&mut living, &[("a", "1")]);
        assert_eq!(list(&mut living, &[("a", "2")]), ["-1", "+2"]);
    }

    #[test]
    fn a_list_that_broke_off_says_nothing() {
        let mut living = Living::default();
        list(&mut living, &[("a", "1"), ("b", "2")]);
        for event in [Event::Init, Event::InitApply(object("a", "1"))] {
            assert!(living.take_in(event).is_empty());
        }
        assert_eq!(list(&mut living, &[("b", "2")]), ["-1", "+2"]);
    }

    proptest! {
        /// Whoever follows the changes alone knows at the end of every list what is there, whatever came before.
        #[test]
        fn following_the_changes_leads_to_what_is_there(
            rounds in vec((vec((0..5_u8, 0..3_u8, any::<bool>()), 0..8), btree_map(0..5_u8, 0..3_u8, 0..5)), 1..6),
        ) {
            let mut living = Living::default();
            let mut follower = std::collections::BTreeSet::new();
            for (told, listed) in rounds {
                let named = |name: u8, life: u8| object(&format!("{name}"), &format!("{name}.{life}"));
                let mut events: Vec<_> = told
                    .into_iter()
                    .map(|(name, life, there)| {
                        if there { Event::Apply(named(name, life)) } else { Event::Delete(named(name, life)) }
                    })
                    .collect();
                events.push(Event::Init);
                events.extend(listed.iter().map(|(name, life)| Event::InitApply(named(*name, *life))));
                events.push(Event::InitDone);
                for change in events.into_iter().flat_map(|event| living.take_in(event)) {
                    let uid = change.meta().uid.clone().unwrap();
                    match change {
                        Change::Applied(_) => follower.insert(uid),
                        Change::Deleted(_) => follower.remove(&uid),
                    };
                }
                let there: std::collections::BTreeSet<_> =
                    listed.iter().map(|(name, life)| format!("{name}.{life}")).collect();
                prop_assert_eq!(&follower, &there);
            }
        }
    }
}

//! Objects that this build cannot read: a newer definition allows what it does not know.
//!
//! Such an object is there. What it was when it was last read stands in for it; where that is not known, its name at least is: who
//! refers to it must not act as if it were gone.

use std::collections::{BTreeMap, BTreeSet};

use futures::{Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use tokio::sync::watch;

/// Namespace and name.
type Place = (String, String);

/// What is known of one that cannot be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    /// Its UID.
    pub uid: String,
    /// The generation that cannot be read.
    pub generation: i64,
}

/// The objects of one kind that are there and cannot be read. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Unreadable(watch::Sender<BTreeMap<Place, Sealed>>);

impl Unreadable {
    /// What is known of the object of that name, if it is one of them.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Sealed> {
        self.0
            .borrow()
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    /// Their UIDs.
    pub fn uids(&self) -> Vec<String> {
        self.0
            .borrow()
            .values()
            .map(|sealed| sealed.uid.clone())
            .collect()
    }

    /// Namespace and name of each that becomes one of them, changes as one, or ceases to be one.
    pub fn changes(&self) -> impl Stream<Item = Place> + use<> {
        let told = (self.0.subscribe(), BTreeMap::new());
        let news = futures::stream::unfold(told, |(mut heard, before)| async move {
            heard.changed().await.ok()?;
            let now = heard.borrow_and_update().clone();
            let differs = |place: &&Place| before.get(*place) != now.get(*place);
            let places: BTreeSet<&Place> = before.keys().chain(now.keys()).filter(differs).collect();
            let places: Vec<Place> = places.into_iter().cloned().collect();
            Some((futures::stream::iter(places), (heard, now)))
        });
        news.flatten()
    }

    fn put(&self, meta: &ObjectMeta) {
        self.0.send_if_modified(|known| {
            let sealed = Sealed::of(meta);
            known.insert(place(meta), sealed.clone()) != Some(sealed)
        });
    }

    fn remove(&self, meta: &ObjectMeta) {
        self.0
            .send_if_modified(|known| known.remove(&place(meta)).is_some());
    }

    #[cfg(test)]
    pub(crate) fn note(&self, object: &impl Resource) {
        self.put(object.meta());
    }
}

impl Sealed {
    fn of(meta: &ObjectMeta) -> Self {
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
        }
    }
}

/// Reads what a watch tells.
pub(super) struct Reading<K: Resource<DynamicType = ()> + 'static> {
    watch: &'static str,
    store: Store<K>,
    unreadable: Unreadable,
    /// Those of the list that is under way.
    listed: BTreeMap<Place, Sealed>,
}

impl<K: Resource<DynamicType = ()> + Clone> Reading<K> {
    pub(super) fn new(watch: &'static str, store: Store<K>, unreadable: Unreadable) -> Self {
        Self {
            watch,
            store,
            unreadable,
            listed: BTreeMap::new(),
        }
    }

    /// The event with an object that can be read; none where there is no such object.
    pub(super) fn take_in(&mut self, event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
        match event {
            Event::Init => {
                self.listed.clear();
                Some(Event::Init)
            }
            Event::InitApply(DeserializeGuard(Ok(object))) => Some(Event::InitApply(object)),
            Event::InitApply(DeserializeGuard(Err(found))) => {
                self.tell(&found.metadata, &found.error);
                self.listed
                    .insert(place(&found.metadata), Sealed::of(&found.metadata));
                self.last(&found.metadata).map(Event::InitApply)
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                self.unreadable.0.send_if_modified(|known| {
                    let differs = *known != listed;
                    *known = listed;
                    differs
                });
                Some(Event::InitDone)
            }
            Event::Apply(DeserializeGuard(Ok(object))) => {
                self.unreadable.remove(object.meta());
                Some(Event::Apply(object))
            }
            Event::Apply(DeserializeGuard(Err(found))) => {
                self.tell(&found.metadata, &found.error);
                self.unreadable.put(&found.metadata);
                None
            }
            Event::Delete(DeserializeGuard(Ok(object))) => {
                self.unreadable.remove(object.meta());
                Some(Event::Delete(object))
            }
            Event::Delete(DeserializeGuard(Err(found))) => {
                self.unreadable.remove(&found.metadata);
                self.last(&found.metadata).map(Event::Delete)
            }
        }
    }

    /// What this very object was when it was last read.
    fn last(&self, meta: &ObjectMeta) -> Option<K> {
        let (namespace, name) = place(meta);
        let last = self.store.get(&ObjectRef::new(&name).within(&namespace))?;
        (last.meta().uid == meta.uid).then(|| last.as_ref().clone())
    }

    fn tell(&self, meta: &ObjectMeta, error: &str) {
        let (namespace, object) = place(meta);
        tracing::error!(
            watch = self.watch,
            object,
            namespace,
            error,
            "an object cannot be read"
        );
    }
}

fn place(meta: &ObjectMeta) -> Place {
    (
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use keypool_crds::v1alpha1::ModelProvider;
    use kube::core::error_boundary::InvalidObject;
    use kube::runtime::reflector;
    use kube::runtime::reflector::store::Writer;

    use super::*;
    use crate::fixtures::{NAMESPACE, OPENAI, provider};

    struct Watch {
        reading: Reading<ModelProvider>,
        writer: Writer<ModelProvider>,
        store: Store<ModelProvider>,
    }

    impl Watch {
        fn new() -> Self {
            let (store, writer) = reflector::store();
            let reading = Reading::new("test", store.clone(), Unreadable::default());
            Self {
                reading,
                writer,
                store,
            }
        }

        fn hear(&mut self, event: Event<DeserializeGuard<ModelProvider>>) {
            if let Some(event) = self.reading.take_in(event) {
                self.writer.apply_watcher_event(&event);
            }
        }

        /// Whether it is known to be there though it cannot be read, and whether there is a content of it.
        fn knows(&self, name: &str) -> (bool, bool) {
            let kept = self.store.get(&ObjectRef::new(name).within(NAMESPACE));
            (
                self.reading.unreadable.get(NAMESPACE, name).is_some(),
                kept.is_some(),
            )
        }
    }

    fn good(name: &str) -> DeserializeGuard<ModelProvider> {
        DeserializeGuard(Ok(provider(name, OPENAI)))
    }

    fn newer(name: &str) -> DeserializeGuard<ModelProvider> {
        DeserializeGuard(Err(InvalidObject {
            error: "unknown variant `Bedrock`".into(),
            metadata: provider(name, OPENAI).metadata,
        }))
    }

    #[test]
    fn what_becomes_unreadable_changes_or_ends_is_told() {
        let mut watch = Watch::new();
        let mut changes = Box::pin(watch.reading.unreadable.changes());
        let mut told = || -> Vec<String> {
            let next = || changes.next().now_or_never().flatten();
            std::iter::from_fn(next).map(|(_, name)| name).collect()
        };
        for event in [
            Event::Init,
            Event::InitApply(newer("a")),
            Event::InitApply(good("b")),
        ] {
            watch.hear(event);
        }
        assert!(told().is_empty(), "the list is not whole");
        watch.hear(Event::InitDone);
        assert_eq!(told(), ["a"]);
        watch.hear(Event::Apply(newer("b")));
        watch.hear(Event::Apply(newer("a")));
        assert_eq!(told(), ["b"], "a is what it was");
        watch.hear(Event::Delete(newer("a")));
        watch.hear(Event::Apply(good("b")));
        assert_eq!(told(), ["a", "b"]);
    }

    #[test]
    fn what_cannot_be_read_is_there_and_stays_what_it_was() {
        let mut watch = Watch::new();
        let list = |watch: &mut Watch, objects: Vec<DeserializeGuard<ModelProvider>>| {
            watch.hear(Event::Init);
            for object in objects {
                watch.hear(Event::InitApply(object));
            }
            watch.hear(Event::InitDone);
        };
        list(&mut watch, vec![good("a"), newer("never-read")]);
        assert_eq!(watch.knows("a"), (false, true));
        assert_eq!(watch.knows("never-read"), (true, false));
        watch.hear(Event::Apply(newer("a")));
        assert_eq!(watch.knows("a"), (true, true));
        list(&mut watch, vec![newer("a")]);
        assert_eq!(watch.knows("a"), (true, true), "after a gap too");
        assert_eq!(watch.knows("never-read"), (false, false), "it went in the gap");
        watch.hear(Event::Apply(good("a")));
        assert_eq!(watch.knows("a"), (false, true));
        watch.hear(Event::Apply(newer("a")));
        watch.hear(Event::Delete(newer("a")));
        assert_eq!(watch.knows("a"), (false, false));
    }
}

//! Objects that this build cannot read: a newer definition allows what it does not know.
//!
//! Such an object is there. What it was when it was last read stands in for it; where that is not known, its name at least is: who
//! refers to it must not act as if it were gone.

use std::collections::{BTreeMap, BTreeSet};

use futures::{Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::Writer;
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
        self.change(|known| {
            known.insert(place(meta), Sealed::of(meta));
        });
    }

    fn remove(&self, meta: &ObjectMeta) {
        self.change(|known| {
            known.remove(&place(meta));
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Place, Sealed>)) {
        self.0.send_if_modified(|known| {
            let before = known.clone();
            change(known);
            *known != before
        });
    }

    #[cfg(test)]
    pub(crate) fn note(&self, object: &impl Resource) {
        self.put(object.meta());
    }

    #[cfg(test)]
    pub(crate) fn forget(&self, object: &impl Resource) {
        self.remove(object.meta());
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

/// Reads what a watch tells, and keeps the copies of what can be read. At every moment an object that is there is among the copies or
/// among what cannot be read: who finds it in neither takes it for gone.
pub(super) struct Reading<K: Resource<DynamicType = ()> + Clone + 'static> {
    watch: &'static str,
    copies: Writer<K>,
    store: Store<K>,
    unreadable: Unreadable,
    /// Those of the list that is under way.
    listed: BTreeMap<Place, Sealed>,
}

impl<K: Resource<DynamicType = ()> + Clone> Reading<K> {
    pub(super) fn new(watch: &'static str) -> Self {
        let copies = Writer::default();
        Self {
            watch,
            store: copies.as_reader(),
            copies,
            unreadable: Unreadable::default(),
            listed: BTreeMap::new(),
        }
    }

    /// The copies.
    pub(super) fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// What cannot be read.
    pub(super) fn unreadable(&self) -> Unreadable {
        self.unreadable.clone()
    }

    /// The event with an object that can be read, once it is known here; none where there is no such object.
    pub(super) fn take_in(&mut self, event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
        let event = self.read(event)?;
        self.keep(&event);
        Some(event)
    }

    /// The event as far as it can be read. What cannot be is known as such before the copies change.
    fn read(&mut self, event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
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
                self.unreadable.change(|known| known.extend(self.listed.clone()));
                Some(Event::InitDone)
            }
            Event::Apply(DeserializeGuard(Ok(object))) => Some(Event::Apply(object)),
            Event::Apply(DeserializeGuard(Err(found))) => {
                self.tell(&found.metadata, &found.error);
                self.unreadable.put(&found.metadata);
                None
            }
            Event::Delete(DeserializeGuard(Ok(object))) => Some(Event::Delete(object)),
            Event::Delete(DeserializeGuard(Err(found))) => {
                let last = self.last(&found.metadata);
                if last.is_none() {
                    self.unreadable.remove(&found.metadata);
                }
                last.map(Event::Delete)
            }
        }
    }

    /// What can be read again, or is gone, ceases to be sealed after the copies changed.
    fn keep(&mut self, event: &Event<K>) {
        self.copies.apply_watcher_event(event);
        match event {
            Event::Apply(object) | Event::Delete(object) => self.unreadable.remove(object.meta()),
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                self.unreadable.change(|known| *known = listed);
            }
            Event::Init | Event::InitApply(_) => {}
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

    use super::*;
    use crate::fixtures::{NAMESPACE, OPENAI, provider};

    struct Watch {
        reading: Reading<ModelProvider>,
    }

    impl Watch {
        fn new() -> Self {
            Self {
                reading: Reading::new("test"),
            }
        }

        fn hear(&mut self, event: Event<DeserializeGuard<ModelProvider>>) {
            self.reading.take_in(event);
        }

        /// Whether it is known to be there though it cannot be read, and whether there is a content of it.
        fn knows(&self, name: &str) -> (bool, bool) {
            let kept = self.reading.store.get(&ObjectRef::new(name).within(NAMESPACE));
            (
                self.reading.unreadable.get(NAMESPACE, name).is_some(),
                kept.is_some(),
            )
        }

        /// What is known of it before the copies change, and after.
        fn steps(&mut self, event: Event<DeserializeGuard<ModelProvider>>, name: &str) -> [(bool, bool); 2] {
            let event = self.reading.read(event).unwrap();
            let before = self.knows(name);
            self.reading.keep(&event);
            [before, self.knows(name)]
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

    /// Who looks in between would write a document without its keys.
    #[test]
    fn what_is_there_is_never_among_neither() {
        let mut watch = Watch::new();
        for event in [Event::Init, Event::InitApply(newer("a"))] {
            watch.hear(event);
        }
        assert_eq!(watch.steps(Event::InitDone, "a"), [(true, false); 2]);
        let mended = watch.steps(Event::Apply(good("a")), "a");
        assert_eq!(mended, [(true, false), (false, true)]);

        let mut watch = Watch::new();
        for event in [Event::Apply(newer("a")), Event::Init, Event::InitApply(good("a"))] {
            watch.hear(event);
        }
        let in_a_gap = watch.steps(Event::InitDone, "a");
        assert_eq!(in_a_gap, [(true, false), (false, true)]);
    }
}

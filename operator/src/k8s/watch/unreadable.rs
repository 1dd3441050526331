//! Objects that this build cannot read: a newer definition allows what it does not know.
//!
//! Such an object is there. What it was when it was last read stands in for it; where that is not known, its name at least is: who
//! refers to it must not act as if it were gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use parking_lot::Mutex;

/// Namespace and name.
type Place = (String, String);

/// The objects of one kind that are there and cannot be read.
#[derive(Clone, Default)]
pub struct Unreadable(Arc<Mutex<BTreeSet<Place>>>);

impl Unreadable {
    /// Whether an object of that name is one of them.
    pub fn contains(&self, namespace: &str, name: &str) -> bool {
        self.0.lock().contains(&(namespace.to_owned(), name.to_owned()))
    }

    #[cfg(test)]
    pub(crate) fn note(&self, namespace: &str, name: &str) {
        self.0.lock().insert((namespace.to_owned(), name.to_owned()));
    }
}

/// Reads what a watch tells.
pub(super) struct Reading<K: Resource<DynamicType = ()> + 'static> {
    watch: &'static str,
    store: Store<K>,
    unreadable: Unreadable,
    /// Those of the list that is under way.
    listed: BTreeSet<Place>,
}

impl<K: Resource<DynamicType = ()> + Clone> Reading<K> {
    pub(super) fn new(watch: &'static str, store: Store<K>, unreadable: Unreadable) -> Self {
        Self {
            watch,
            store,
            unreadable,
            listed: BTreeSet::new(),
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
                self.listed.insert(place(&found.metadata));
                self.last(&found.metadata).map(Event::InitApply)
            }
            Event::InitDone => {
                *self.unreadable.0.lock() = std::mem::take(&mut self.listed);
                Some(Event::InitDone)
            }
            Event::Apply(DeserializeGuard(Ok(object))) => {
                self.unreadable.0.lock().remove(&place(object.meta()));
                Some(Event::Apply(object))
            }
            Event::Apply(DeserializeGuard(Err(found))) => {
                self.tell(&found.metadata, &found.error);
                self.unreadable.0.lock().insert(place(&found.metadata));
                None
            }
            Event::Delete(DeserializeGuard(Ok(object))) => {
                self.unreadable.0.lock().remove(&place(object.meta()));
                Some(Event::Delete(object))
            }
            Event::Delete(DeserializeGuard(Err(found))) => {
                self.unreadable.0.lock().remove(&place(&found.metadata));
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
            (self.reading.unreadable.contains(NAMESPACE, name), kept.is_some())
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

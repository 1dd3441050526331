//! What the reconcilers share.

use std::collections::BTreeMap;
use std::sync::Arc;

use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use super::load_balance_group::{InvalidGroup, ValidatedGroup};
use super::model_provider::{InvalidProvider, ValidatedProvider};
use super::watches::{Stores, Wakes};
use crate::clock::Clock;
use crate::fleet::knowledge::Knowledge;
use crate::fleet::roster::Roster;
use crate::identity::Identity;
use crate::install::{Install, ObjectId};
use crate::k8s::apply::Children;
use crate::k8s::clients::Clients;
use crate::k8s::read::Reader;
use crate::telemetry::Metrics;

/// What the last pass of a provider found.
#[derive(Clone)]
pub struct ProviderView {
    /// The object as it was judged.
    pub resource: Arc<ModelProvider>,
    /// The judgement.
    pub judged: Result<ValidatedProvider, InvalidProvider>,
}

/// What the last pass of a group found.
#[derive(Clone)]
pub struct GroupView {
    /// The object as it was judged.
    pub resource: Arc<LoadBalanceGroup>,
    /// The judgement.
    pub judged: Result<Arc<ValidatedGroup>, InvalidGroup>,
}

/// What the reconcilers share.
pub struct Context {
    /// Clients.
    pub clients: Clients,
    /// The one clock.
    pub clock: Clock,
    /// The installation's settings.
    pub install: Install,
    /// For fingerprints.
    pub identity: Identity,
    /// Copies of what is watched whole.
    pub stores: Stores,
    /// Where wakes go.
    pub wakes: Wakes,
    /// Live reads.
    pub reader: Reader,
    /// Writes of children.
    pub children: Children,
    /// Exchanges with pods.
    pub roster: Roster,
    /// What pods told.
    pub knowledge: Arc<Knowledge>,
    /// Metrics.
    pub metrics: Metrics,
    /// What the last passes found, by the object's identity.
    pub views: Views,
}

/// What the last passes found.
#[derive(Default)]
pub struct Views {
    providers: Mutex<BTreeMap<ObjectId, ProviderView>>,
    groups: Mutex<BTreeMap<ObjectId, GroupView>>,
}

impl Views {
    /// Stores what a provider's pass found and returns what was known before.
    pub fn put_provider(&self, view: ProviderView) -> Option<ProviderView> {
        self.providers.lock().insert(ObjectId::of(view.resource.as_ref()), view)
    }

    /// Stores what a group's pass found.
    pub fn put_group(&self, view: GroupView) {
        self.groups.lock().insert(ObjectId::of(view.resource.as_ref()), view);
    }

    /// A provider, by UID.
    pub fn provider_of_uid(&self, uid: &str) -> Option<ProviderView> {
        self.providers.lock().values().find(|view| view.resource.metadata.uid.as_deref() == Some(uid)).cloned()
    }

    /// All providers.
    pub fn providers(&self) -> Vec<ProviderView> {
        self.providers.lock().values().cloned().collect()
    }

    /// All groups.
    pub fn groups(&self) -> Vec<GroupView> {
        self.groups.lock().values().cloned().collect()
    }

    /// A provider.
    pub fn provider(&self, id: &ObjectId) -> Option<ProviderView> {
        self.providers.lock().get(id).cloned()
    }

    /// A group.
    pub fn group(&self, id: &ObjectId) -> Option<GroupView> {
        self.groups.lock().get(id).cloned()
    }

    /// Forgets a provider of that name, whatever its UID.
    pub fn forget_provider(&self, object: &ObjectRef<ModelProvider>) {
        self.providers.lock().retain(|id, _| !named(id, object.namespace.as_deref(), &object.name));
    }

    /// Forgets a group of that name and returns its identities.
    pub fn forget_group(&self, object: &ObjectRef<LoadBalanceGroup>) -> Vec<ObjectId> {
        let mut groups = self.groups.lock();
        let gone: Vec<_> =
            groups.keys().filter(|id| named(id, object.namespace.as_deref(), &object.name)).cloned().collect();
        gone.iter().for_each(|id| drop(groups.remove(id)));
        gone
    }
}

fn named(id: &ObjectId, namespace: Option<&str>, name: &str) -> bool {
    Some(id.namespace.as_str()) == namespace && id.name == name
}

//! What the reconcilers and the survey share.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::channel::mpsc::UnboundedSender;
use keypool_contract::exchange::ClearCooldown;
use keypool_crds::v1alpha1::{LoadBalanceGroup, LoadBalanceGroupStatus, ModelProvider, ModelProviderStatus};
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use super::load_balance_group::status::{Applied, Failure};
use super::load_balance_group::{InvalidGroup, ValidatedGroup};
use super::model_provider::{InvalidProvider, ValidatedProvider};
use super::watches::Stores;
use crate::clock::Clock;
use crate::conditions::Check;
use crate::fleet::knowledge::Knowledge;
use crate::fleet::roster::Roster;
use crate::identity::Identity;
use crate::install::{Install, ObjectId};
use crate::k8s::apply::Children;
use crate::k8s::clients::Clients;
use crate::k8s::read::Reader;
use crate::moment::Monotonic;

/// What status has to look at again.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// A provider.
    Provider(ObjectRef<ModelProvider>),
    /// A group: its pods, its exchanges, its status.
    Group(ObjectRef<LoadBalanceGroup>),
    /// Something that is gone, though another one of its name may be there already.
    Gone,
}

/// Where wakes go.
#[derive(Clone)]
pub struct Wakes {
    /// To the provider's reconcile.
    pub providers: UnboundedSender<ObjectRef<ModelProvider>>,
    /// To the group's reconcile.
    pub groups: UnboundedSender<ObjectRef<LoadBalanceGroup>>,
    /// To the survey.
    pub subjects: tokio::sync::mpsc::UnboundedSender<Subject>,
}

impl Wakes {
    // Nobody listens only while the process ends: a wake that goes nowhere is no loss.

    /// Wakes a provider's reconcile.
    pub fn provider(&self, provider: ObjectRef<ModelProvider>) {
        let _ = self.providers.unbounded_send(provider);
    }

    /// Wakes a group's reconcile.
    pub fn group(&self, group: ObjectRef<LoadBalanceGroup>) {
        let _ = self.groups.unbounded_send(group);
    }

    /// Wakes the survey.
    pub fn survey(&self, subject: Subject) {
        let _ = self.subjects.send(subject);
    }
}

/// What the last pass of a provider found.
#[derive(Clone)]
pub struct ProviderView {
    /// The object as it was judged.
    pub resource: Arc<ModelProvider>,
    /// The judgement.
    pub judged: Result<ValidatedProvider, InvalidProvider>,
    /// When the look began whose reads this was made from.
    pub looked: Monotonic,
    /// A person's wish to end cooldowns, kept for pods that have not heard it yet.
    pub wish: Option<ClearCooldown>,
}

/// What the last pass of a group found.
#[derive(Clone)]
pub struct GroupView {
    /// The object as it was judged.
    pub resource: Arc<LoadBalanceGroup>,
    /// The judgement.
    pub judged: Result<Arc<ValidatedGroup>, InvalidGroup>,
    /// Why the build was refused, when it was.
    pub refused: Option<Check>,
    /// What was written last.
    pub applied: Option<Applied>,
    /// What could not be read or written at that pass.
    pub failure: Option<Failure>,
}

/// What the reconcilers and the survey share.
pub struct Context {
    /// Clients.
    pub clients: Clients,
    /// The one clock.
    pub clock: Clock,
    /// When this process became the leader.
    pub leading_since: Monotonic,
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
    /// What the last passes found.
    pub views: Views,
}

impl ProviderView {
    /// Whether this judged the object as it is written now; another status makes no difference.
    pub fn is_of(&self, provider: &ModelProvider) -> bool {
        let (seen, now) = (&self.resource.metadata, &provider.metadata);
        seen.uid == now.uid && seen.generation == now.generation && seen.annotations == now.annotations
    }
}

impl GroupView {
    /// How many of its pods told this leader that they run the document that they should run.
    pub fn acknowledged(&self, context: &Context) -> usize {
        let Some(applied) = &self.applied else { return 0 };
        let fleet = super::load_balance_group::fleet::view(context, &self.resource);
        let told = fleet.counted().filter_map(|pod| pod.exchange.as_ref());
        told.filter(|exchange| exchange.acknowledgement.hash.as_ref() == Some(&applied.desired.hash))
            .count()
    }
}

/// What the last passes found, by the object's identity.
#[derive(Default)]
pub struct Views {
    providers: Mutex<BTreeMap<ObjectId, ProviderView>>,
    groups: Mutex<BTreeMap<ObjectId, GroupView>>,
    provider_statuses: Mutex<BTreeMap<ObjectId, ModelProviderStatus>>,
    group_statuses: Mutex<BTreeMap<ObjectId, LoadBalanceGroupStatus>>,
}

impl Views {
    /// Stores what a look at a provider found, unless a later look has ended before: its reads are the newer ones.
    pub fn put_provider(&self, view: ProviderView) {
        let mut providers = self.providers.lock();
        let id = ObjectId::of(view.resource.as_ref());
        if providers.get(&id).is_none_or(|known| known.looked <= view.looked) {
            providers.insert(id, view);
        }
    }

    /// Stores what a group's pass found.
    pub fn put_group(&self, view: GroupView) {
        self.groups
            .lock()
            .insert(ObjectId::of(view.resource.as_ref()), view);
    }

    /// A provider.
    pub fn provider(&self, id: &ObjectId) -> Option<ProviderView> {
        self.providers.lock().get(id).cloned()
    }

    /// The object of that UID as it was judged.
    pub fn provider_of_uid(&self, uid: &str) -> Option<Arc<ModelProvider>> {
        let providers = self.providers.lock();
        let view = providers.iter().find(|(id, _)| id.uid == uid)?.1;
        Some(Arc::clone(&view.resource))
    }

    /// A group.
    pub fn group(&self, id: &ObjectId) -> Option<GroupView> {
        self.groups.lock().get(id).cloned()
    }

    /// The status that a provider has: what was last written, which the watch may not have told yet.
    pub fn provider_status(&self, view: &ProviderView) -> Option<ModelProviderStatus> {
        let written = self
            .provider_statuses
            .lock()
            .get(&ObjectId::of(view.resource.as_ref()))
            .cloned();
        written.or_else(|| view.resource.status.clone())
    }

    /// The status that a group has.
    pub fn group_status(&self, view: &GroupView) -> Option<LoadBalanceGroupStatus> {
        let written = self
            .group_statuses
            .lock()
            .get(&ObjectId::of(view.resource.as_ref()))
            .cloned();
        written.or_else(|| view.resource.status.clone())
    }

    /// A provider's status was written.
    pub fn provider_written(&self, id: ObjectId, status: ModelProviderStatus) {
        self.provider_statuses.lock().insert(id, status);
    }

    /// A group's status was written.
    pub fn group_written(&self, id: ObjectId, status: LoadBalanceGroupStatus) {
        self.group_statuses.lock().insert(id, status);
    }

    /// All groups of a namespace.
    pub fn groups_in(&self, namespace: &str) -> Vec<GroupView> {
        let groups = self.groups.lock();
        groups
            .iter()
            .filter(|(id, _)| id.namespace == namespace)
            .map(|(_, view)| view.clone())
            .collect()
    }

    /// Forgets all providers but these.
    pub fn keep_providers(&self, live: impl Fn(&ObjectId) -> bool) {
        self.providers.lock().retain(|id, _| live(id));
        self.provider_statuses.lock().retain(|id, _| live(id));
    }

    /// Forgets all groups but these and tells which it forgot.
    pub fn keep_groups(&self, live: impl Fn(&ObjectId) -> bool) -> Vec<(ObjectId, GroupView)> {
        self.group_statuses.lock().retain(|id, _| live(id));
        let mut groups = self.groups.lock();
        let gone: Vec<ObjectId> = groups.keys().filter(|id| !live(id)).cloned().collect();
        gone.into_iter()
            .filter_map(|id| groups.remove_entry(&id))
            .collect()
    }
}

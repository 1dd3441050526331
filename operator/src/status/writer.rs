//! The one writer of status: looks at what was woken or is due, compares, asks the object's bucket, writes.
//!
//! Writes of different objects go out side by side, of one object one after the other. A write that fails is due again a little
//! later, with whatever the status is by then.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::{Bucket, Comparable, Permit, key_events};
use crate::controller::context::{Context, Subject};
use crate::controller::load_balance_group::fleet;
use crate::controller::survey;
use crate::fleet::knowledge::News;
use crate::install::ObjectId;
use crate::k8s::events::{Events, Severity};
use crate::moment::Monotonic;
use crate::telemetry::{Kind, Metrics, Outcome};

/// Owns the fields of statuses; another name than that of children, or one write would drop what the other owns.
const FIELD_MANAGER: &str = "keypool-status";
/// A failed write is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// Between two looks at an object that nothing woke.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// What is gone is forgotten, and every pod list is counted, this often.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// The one writer of status.
pub struct Writer {
    context: Arc<Context>,
    events: Events,
    metrics: Metrics,
    due: HashMap<Subject, Monotonic>,
    buckets: HashMap<Subject, Bucket>,
    writing: JoinSet<Subject>,
    in_flight: HashMap<Subject, bool>,
    acknowledged: BTreeMap<ObjectId, usize>,
}

impl Writer {
    /// Writes nothing yet.
    pub fn new(context: Arc<Context>, events: Events, metrics: Metrics) -> Self {
        Self {
            context,
            events,
            metrics,
            due: HashMap::new(),
            buckets: HashMap::new(),
            writing: JoinSet::new(),
            in_flight: HashMap::new(),
            acknowledged: BTreeMap::new(),
        }
    }

    /// Runs until nobody wakes it any more.
    pub async fn run(mut self, mut subjects: UnboundedReceiver<Subject>, mut news: UnboundedReceiver<News>) {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        loop {
            let now = self.context.clock.now().monotonic;
            let next = self
                .due
                .values()
                .min()
                .map_or(HOUSEKEEPING, |at| Duration::from_millis(now.until_ms(*at)));
            tokio::select! {
                subject = subjects.recv() => match subject {
                    Some(subject) => self.wake(subject),
                    None => return,
                },
                Some(news) = news.recv() => self.hear(&news),
                Some(done) = self.writing.join_next(), if !self.writing.is_empty() => match done {
                    Ok(subject) => {
                        if self.in_flight.remove(&subject).unwrap_or(false) {
                            self.wake(subject);
                        }
                    }
                    Err(error) => tracing::error!(%error, "a status write ended by a panic"),
                },
                () = tokio::time::sleep(next) => {}
                _ = housekeeping.tick() => self.keep_house(),
            }
            // What has come together by now is looked at together.
            while let Ok(subject) = subjects.try_recv() {
                self.wake(subject);
            }
            while let Ok(news) = news.try_recv() {
                self.hear(&news);
            }
            self.look_at_what_is_due();
        }
    }

    fn count_acknowledged(&self) {
        self.metrics.pods_acknowledged(self.acknowledged.values().sum());
    }

    fn wake(&mut self, subject: Subject) {
        self.due.insert(subject, Monotonic(i64::MIN));
    }

    /// What is known about a provider shows in the provider and in the groups that use it.
    fn hear(&mut self, news: &News) {
        match news {
            News::Group(id) => {
                self.raise_generation(id);
                self.wake(Subject::Group(ObjectRef::new(&id.name).within(&id.namespace)));
            }
            News::Provider(uid) => {
                let view = self
                    .context
                    .views
                    .providers()
                    .into_iter()
                    .find(|view| view.resource.uid().as_ref() == Some(uid));
                let Some(view) = view else { return };
                self.wake(Subject::Provider(ObjectRef::from_obj(view.resource.as_ref())));
                self.wake_groups_of(&view.resource);
            }
        }
    }

    /// A pod that runs a later document of the same lineage than the stored one keeps it (a restored backup): the next pass
    /// goes above it.
    fn raise_generation(&self, id: &ObjectId) {
        let Some(view) = self.context.views.group(id) else {
            return;
        };
        let Some(applied) = &view.applied else { return };
        let (stamp, hash) = (&applied.desired.stamp, &applied.desired.hash);
        let fleet = fleet::view(&self.context, &view.resource);
        if fleet.reported_generation(&stamp.lineage, stamp.generation, hash) > 0 {
            self.context
                .wakes
                .group(ObjectRef::from_obj(view.resource.as_ref()));
        }
    }

    fn wake_groups_of(&mut self, provider: &ModelProvider) {
        let name = provider.name_any();
        for group in self
            .context
            .views
            .groups_in(&provider.namespace().unwrap_or_default())
        {
            if group
                .resource
                .spec
                .members
                .iter()
                .any(|member| member.provider_ref.name == name)
            {
                self.wake(Subject::Group(ObjectRef::from_obj(group.resource.as_ref())));
            }
        }
    }

    fn look_at_what_is_due(&mut self) {
        let now = self.context.clock.now().monotonic;
        let due: Vec<Subject> = self
            .due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(subject, _)| subject.clone())
            .collect();
        for subject in due {
            self.due.remove(&subject);
            if let Some(again) = self.in_flight.get_mut(&subject) {
                *again = true;
                continue;
            }
            let next = match &subject {
                Subject::Provider(provider) => self.look_at_provider(provider, &subject),
                Subject::Group(group) => self.look_at_group(group, &subject),
            };
            if let Some(next) = next {
                // A point that has passed would be due at once, again and again.
                let next = next.max(now + SHORTEST_PAUSE);
                let earlier = self.due.get(&subject).copied();
                self.due
                    .insert(subject, earlier.map_or(next, |earlier| earlier.min(next)));
            }
        }
    }

    fn look_at_provider(
        &mut self,
        provider: &ObjectRef<ModelProvider>,
        subject: &Subject,
    ) -> Option<Monotonic> {
        let resource = self.context.stores.providers.get(provider)?;
        let id = ObjectId::of(resource.as_ref());
        let view = self.context.views.provider(&id)?;
        let now = self.context.clock.now();
        let (status, next) = survey::of_provider(&self.context, &view, now);
        let stored = self.context.views.provider_status(&view);
        let later = match self.permit(Kind::ModelProvider, subject, &status, stored.as_ref()) {
            Permit::Now => {
                let mut known = view.resource.as_ref().clone();
                known.status = stored;
                let news = key_events(&known, &status);
                let (context, events, about) = (
                    Arc::clone(&self.context),
                    self.events.clone(),
                    resource.object_ref(&()),
                );
                let written = status.clone();
                self.write(
                    Kind::ModelProvider,
                    subject,
                    provider,
                    id.clone(),
                    status,
                    move || async move {
                        context.views.provider_written(id, written);
                        for event in news {
                            let severity = if event.warning {
                                Severity::Warning
                            } else {
                                Severity::Normal
                            };
                            events.publish(&about, severity, event.reason, event.note).await;
                        }
                    },
                );
                None
            }
            Permit::At(at) => Some(at),
            Permit::Nothing => None,
        };
        later.into_iter().chain(next).min()
    }

    fn look_at_group(&mut self, group: &ObjectRef<LoadBalanceGroup>, subject: &Subject) -> Option<Monotonic> {
        let Some(resource) = self.context.stores.groups.get(group) else {
            self.keep_house();
            return None;
        };
        let id = ObjectId::of(resource.as_ref());
        self.context
            .roster
            .staff(&id, fleet::addresses(&self.context, &resource));
        let view = self.context.views.group(&id)?;
        self.acknowledged
            .insert(id.clone(), view.acknowledged(&self.context));
        self.count_acknowledged();
        let (status, next) = survey::of_group(&self.context, &view, self.context.clock.now());
        let stored = self.context.views.group_status(&view);
        let later = match self.permit(Kind::LoadBalanceGroup, subject, &status, stored.as_ref()) {
            Permit::Now => {
                let (context, written) = (Arc::clone(&self.context), status.clone());
                let reporters_changed =
                    stored.map(|stored| stored.ready_replicas) != Some(status.ready_replicas);
                self.write(
                    Kind::LoadBalanceGroup,
                    subject,
                    group,
                    id.clone(),
                    status,
                    move || async move {
                        context.views.group_written(id, written);
                    },
                );
                if reporters_changed {
                    self.wake_providers_of(&resource);
                }
                None
            }
            Permit::At(at) => Some(at),
            Permit::Nothing => None,
        };
        later.into_iter().chain(next).min()
    }

    /// A provider's status tells how many pods report about it.
    fn wake_providers_of(&mut self, group: &LoadBalanceGroup) {
        let namespace = group.namespace().unwrap_or_default();
        for member in &group.spec.members {
            self.wake(Subject::Provider(
                ObjectRef::new(&member.provider_ref.name).within(&namespace),
            ));
        }
    }

    fn permit<S: Comparable>(
        &mut self,
        kind: Kind,
        subject: &Subject,
        status: &S,
        stored: Option<&S>,
    ) -> Permit {
        let now = self.context.clock.now().monotonic;
        let bucket = self
            .buckets
            .entry(subject.clone())
            .or_insert_with(|| Bucket::new(now));
        let permit = bucket.ask(status.change_from(stored), now);
        match permit {
            Permit::Nothing => self.metrics.status(kind, Outcome::Unchanged),
            Permit::At(_) => self.metrics.status(kind, Outcome::Coalesced),
            Permit::Now => {}
        }
        permit
    }

    fn write<K, S, F, Fut>(
        &mut self,
        kind: Kind,
        subject: &Subject,
        object: &ObjectRef<K>,
        id: ObjectId,
        status: S,
        after: F,
    ) where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
        S: Serialize + Send + Sync + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let api: Api<K> = Api::namespaced(
            self.context.clients.request.clone(),
            object.namespace.as_deref().unwrap_or_default(),
        );
        let (subject, name, metrics, wakes) = (
            subject.clone(),
            object.name.clone(),
            self.metrics.clone(),
            self.context.wakes.clone(),
        );
        self.in_flight.insert(subject.clone(), false);
        self.writing.spawn(async move {
            // With its UID: an object that was deleted and made anew gets no status of the old one.
            let patch = serde_json::json!({
                "apiVersion": K::api_version(&()),
                "kind": K::kind(&()),
                "metadata": {"name": name, "uid": id.uid},
                "status": status,
            });
            let params = PatchParams::apply(FIELD_MANAGER).force();
            match api.patch_status(&name, &params, &Patch::Apply(&patch)).await {
                Ok(_) => {
                    metrics.status(kind, Outcome::Done);
                    after().await;
                }
                Err(kube::Error::Api(refusal)) if refusal.code == 404 || refusal.code == 409 => {
                    tracing::debug!(
                        object = name,
                        code = refusal.code,
                        "the object of a status is gone"
                    );
                }
                Err(error) => {
                    metrics.status(kind, Outcome::Failed);
                    tracing::warn!(object = name, %error, "a status could not be written");
                    let again = subject.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(TRY_AGAIN).await;
                        wakes.survey(again);
                    });
                }
            }
            subject
        });
    }

    /// Forgets what is gone. Verdicts of a pod that is gone stay; those of a provider that is gone do not.
    fn keep_house(&mut self) {
        let context = Arc::clone(&self.context);
        let live_group = |id: &ObjectId| {
            let group = context
                .stores
                .groups
                .get(&ObjectRef::new(&id.name).within(&id.namespace));
            group.is_some_and(|group| ObjectId::of(group.as_ref()) == *id)
        };
        let live_provider = |id: &ObjectId| {
            let provider = context
                .stores
                .providers
                .get(&ObjectRef::new(&id.name).within(&id.namespace));
            provider.is_some_and(|provider| ObjectId::of(provider.as_ref()) == *id)
        };
        for (gone, view) in context.views.keep_groups(live_group) {
            context.roster.dismiss(&gone);
            context.children.forget(&gone);
            self.wake_providers_of(&view.resource);
        }
        context.views.keep_providers(live_provider);
        let kept = context.views.providers().into_iter().map(|view| {
            let uid = view.resource.uid().unwrap_or_default();
            (
                uid,
                view.judged.ok().and_then(|validated| validated.fingerprints()),
            )
        });
        let kept = kept.collect();
        context.knowledge.amend(|ledger| ledger.keep(&kept));
        let pods = context.stores.pods.state();
        context
            .knowledge
            .keep_pods(&pods.iter().filter_map(|pod| pod.uid()).collect());
        self.acknowledged.retain(|group, _| live_group(group));
        self.count_acknowledged();
        let live = |subject: &Subject| match subject {
            Subject::Provider(provider) => context.stores.providers.get(provider).is_some(),
            Subject::Group(group) => context.stores.groups.get(group).is_some(),
        };
        self.buckets.retain(|subject, _| live(subject));
        self.due.retain(|subject, _| live(subject));
    }
}

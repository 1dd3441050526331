//! One look at one object: what its status should be, whether it may be written now, and the write.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::patch::patch;
use super::{Bucket, Change, Comparable, Landing, Permit, Writer, key_events};
use crate::controller::context::Subject;
use crate::controller::load_balance_group::fleet;
use crate::controller::survey;
use crate::install::ObjectId;
use crate::moment::Monotonic;
use crate::telemetry::{Kind, Outcome};

impl Writer {
    /// Returns when the next look is due without any news.
    pub(super) fn look_at_provider(
        &mut self,
        provider: &ObjectRef<ModelProvider>,
        subject: &Subject,
    ) -> Option<Monotonic> {
        let resource = self.context.stores.providers.get(provider)?;
        let id = ObjectId::of(resource.as_ref());
        let view = self.context.views.provider(&id)?;
        let (status, next) = survey::of_provider(&self.context, &view, self.context.clock.now());
        let stored = self.context.views.provider_status(&view);
        let later = match self.permit(Kind::ModelProvider, subject, &status, stored.as_ref()) {
            Permit::Now => {
                let mut known = view.resource.as_ref().clone();
                known.status = stored;
                let news = key_events(&known, &status);
                let (context, queue, about) = (
                    Arc::clone(&self.context),
                    self.announcer.queue(),
                    resource.object_ref(&()),
                );
                let written = status.clone();
                let at = id.clone();
                let after = move || async move {
                    context.views.provider_written(at, written);
                    for event in news {
                        // Nobody listens only while the process ends.
                        let _ = queue.send((about.clone(), event));
                    }
                };
                self.write::<ModelProvider, _, _, _>(Kind::ModelProvider, subject, id, status, after);
                None
            }
            Permit::At(at) => Some(at),
            Permit::Nothing => None,
        };
        later.into_iter().chain(next).min()
    }

    /// As for a provider; also the fleet's pods get their exchanges.
    pub(super) fn look_at_group(
        &mut self,
        group: &ObjectRef<LoadBalanceGroup>,
        subject: &Subject,
    ) -> Option<Monotonic> {
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
                let reporters_changed =
                    stored.map(|stored| stored.ready_replicas) != Some(status.ready_replicas);
                let (context, at, written) = (Arc::clone(&self.context), id.clone(), status.clone());
                let after = move || async move { context.views.group_written(at, written) };
                self.write::<LoadBalanceGroup, _, _, _>(Kind::LoadBalanceGroup, subject, id, status, after);
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
        let waits = self.failures.get(subject).filter(|failures| now < failures.until);
        let permit = match (status.change_from(stored), waits) {
            (change, None) if self.ends && change != Change::None => Permit::Now,
            (Change::None, _) | (_, None) => bucket.ask(status.change_from(stored), now),
            (_, Some(failures)) => Permit::At(failures.until),
        };
        match permit {
            Permit::Nothing => self.metrics.status(kind, Outcome::Unchanged),
            Permit::At(_) => self.metrics.status(kind, Outcome::Coalesced),
            Permit::Now => {}
        }
        permit
    }

    fn write<K, S, F, Fut>(&mut self, kind: Kind, subject: &Subject, id: ObjectId, status: S, after: F)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
        S: Serialize + Send + Sync + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let (client, metrics) = (self.context.clients.request.clone(), self.metrics.clone());
        self.flights.start(subject.clone(), async move {
            match patch::<K, _>(client, &id, &status).await {
                Ok(true) => {
                    metrics.status(kind, Outcome::Done);
                    after().await;
                    Landing::Done
                }
                Ok(false) => Landing::Done,
                Err(error) => {
                    metrics.status(kind, Outcome::Failed);
                    tracing::warn!(object = id.name, %error, "a status could not be written");
                    Landing::Failed
                }
            }
        });
    }
}

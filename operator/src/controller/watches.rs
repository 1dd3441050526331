//! What wakes which reconcile.
//!
//! ```text
//! ModelProvider ─▶ provider ─▶ groups that name it
//! LoadBalanceGroup ─▶ group
//! Secret (metadata), ConfigMap ─▶ providers and groups that refer to it
//! Deployment, Service, ServiceAccount, Secret of a group (metadata) ─▶ group
//! Pod of a fleet ─▶ exchanges and status of the group
//! ```
//!
//! A status that we write must not wake our own reconcile: our kinds wake it only with a new generation or other annotations.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount};
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::context::{Subject, Wakes};
use super::load_balance_group::build::{GROUP_LABEL, MANAGED_BY};
use crate::args::Args;
use crate::k8s::clients::Clients;
use crate::k8s::watch::{Change, Watchdog, follow, reflect};
use crate::reference::{self, Reference};

/// Copies of what is watched whole.
#[derive(Clone)]
pub struct Stores {
    /// All providers.
    pub providers: Store<ModelProvider>,
    /// All groups.
    pub groups: Store<LoadBalanceGroup>,
    /// The pods of all fleets.
    pub pods: Store<Pod>,
}

impl Stores {
    /// Waits for the first lists: without them, what is merely not known yet looks deleted.
    ///
    /// # Errors
    /// When a watch ended instead.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.providers.wait_until_ready().await?;
        self.groups.wait_until_ready().await?;
        self.pods.wait_until_ready().await
    }
}

/// Helm keeps releases in Secrets, large and many, and token Secrets are never a source.
const SECRETS: &str = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token";

/// Starts all watches. They run until the process ends.
pub fn start(clients: &Clients, args: &Args, watchdog: &Watchdog, wakes: &Wakes) -> Stores {
    // One namespace, or all: a list of several is served by one operator each.
    let namespace = args.watch_namespace.as_deref();
    let watching = Watching {
        clients,
        namespace,
        watchdog,
    };
    let (providers, provider_changes) =
        watching.whole::<ModelProvider>("modelproviders", watcher::Config::default());
    let (groups, group_changes) =
        watching.whole::<LoadBalanceGroup>("loadbalancegroups", watcher::Config::default());
    let fleet = watcher::Config::default().labels(&format!(
        "app.kubernetes.io/managed-by={MANAGED_BY},{GROUP_LABEL}"
    ));
    let (pods, pod_changes) = watching.whole::<Pod>("pods", fleet.clone());
    let stores = Stores {
        providers,
        groups,
        pods,
    };

    let to = wakes.clone();
    let known = stores.clone();
    spawn(distinct(provider_changes), move |change| {
        let provider = match &change {
            Change::Applied(provider) | Change::Deleted(provider) => provider,
        };
        to.provider(ObjectRef::from_obj(provider));
        if matches!(change, Change::Deleted(_)) {
            to.survey(Subject::Provider(ObjectRef::from_obj(provider)));
            groups_of(&known, provider).for_each(|group| to.group(group));
        }
    });
    let to = wakes.clone();
    spawn(distinct(group_changes), move |change| match change {
        Change::Applied(group) => to.group(ObjectRef::from_obj(&group)),
        Change::Deleted(group) => to.survey(Subject::Group(ObjectRef::from_obj(&group))),
    });
    let to = wakes.clone();
    spawn(pod_changes, move |change| {
        let (Change::Applied(pod) | Change::Deleted(pod)) = change;
        owner(&pod)
            .into_iter()
            .for_each(|group| to.survey(Subject::Group(group)));
    });
    watching.sources::<Secret>(
        "secrets",
        watcher::Config::default().fields(SECRETS),
        &stores,
        wakes,
        Reference::secret,
    );
    watching.sources::<ConfigMap>(
        "configmaps",
        watcher::Config::default(),
        &stores,
        wakes,
        Reference::config_map,
    );
    watching.children::<Deployment>("deployments", &fleet, wakes);
    watching.children::<Service>("services", &fleet, wakes);
    watching.children::<ServiceAccount>("serviceaccounts", &fleet, wakes);
    stores
}

/// The groups that name a provider.
pub fn groups_of<'a>(
    stores: &'a Stores,
    provider: &ModelProvider,
) -> impl Iterator<Item = ObjectRef<LoadBalanceGroup>> + use<'a> {
    let (namespace, name) = (provider.namespace(), provider.name_any());
    let uses = move |group: &Arc<LoadBalanceGroup>| {
        group.namespace() == namespace
            && group
                .spec
                .members
                .iter()
                .any(|member| member.provider_ref.name == name)
    };
    stores
        .groups
        .state()
        .into_iter()
        .filter(uses)
        .map(|group| ObjectRef::from_obj(group.as_ref()))
}

/// What can be watched in one namespace or in all.
trait Watched:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static
{
}

struct Watching<'a> {
    clients: &'a Clients,
    namespace: Option<&'a str>,
    watchdog: &'a Watchdog,
}

impl Watching<'_> {
    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let client = self.clients.watch.clone();
        self.namespace.map_or_else(
            || Api::all(client.clone()),
            |namespace| Api::namespaced(client.clone(), namespace),
        )
    }

    fn whole<K>(
        &self,
        name: &'static str,
        config: watcher::Config,
    ) -> (Store<K>, impl Stream<Item = Change<K>> + use<K>)
    where
        K: Watched + DeserializeOwned,
    {
        reflect(name, self.api::<DeserializeGuard<K>>(), config, self.watchdog)
    }

    fn metadata<K>(
        &self,
        name: &'static str,
        config: watcher::Config,
    ) -> impl Stream<Item = Change<PartialObjectMeta<K>>> + use<K>
    where
        K: Watched,
    {
        follow(name, self.api::<PartialObjectMeta<K>>(), config, self.watchdog)
    }

    /// Objects that specs refer to, or that are a group's own.
    fn sources<K>(
        &self,
        name: &'static str,
        config: watcher::Config,
        stores: &Stores,
        wakes: &Wakes,
        reference: fn(&str, &str) -> Reference,
    ) where
        K: Watched,
    {
        let (stores, to) = (stores.clone(), wakes.clone());
        spawn(self.metadata::<K>(name, config), move |change| {
            let (Change::Applied(object) | Change::Deleted(object)) = change;
            let wanted = reference(&object.namespace().unwrap_or_default(), &object.name_any());
            for provider in stores.providers.state() {
                if reference::of_provider(&provider).contains(&wanted) {
                    to.provider(ObjectRef::from_obj(provider.as_ref()));
                }
            }
            for group in stores.groups.state() {
                if reference::of_group(&group).contains(&wanted) {
                    to.group(ObjectRef::from_obj(group.as_ref()));
                }
            }
            owner(&object).into_iter().for_each(|group| to.group(group));
        });
    }

    /// Objects that the operator makes: what anybody changes there is set right again.
    fn children<K>(&self, name: &'static str, config: &watcher::Config, wakes: &Wakes)
    where
        K: Watched,
    {
        let to = wakes.clone();
        let mut generations: HashMap<String, i64> = HashMap::new();
        spawn(self.metadata::<K>(name, config.clone()), move |change| {
            let (object, gone) = match change {
                Change::Applied(object) => (object, false),
                Change::Deleted(object) => (object, true),
            };
            // A Deployment's status changes all the time and is not ours to mend.
            let uid = object.uid().unwrap_or_default();
            let before = if gone {
                generations.remove(&uid)
            } else {
                object
                    .meta()
                    .generation
                    .and_then(|now| generations.insert(uid, now))
            };
            if gone || before.is_none() || before != object.meta().generation {
                owner(&object).into_iter().for_each(|group| to.group(group));
            }
        });
    }
}

/// The group that owns an object: by label, because a pod's owner is a ReplicaSet.
fn owner(object: &impl Resource) -> Option<ObjectRef<LoadBalanceGroup>> {
    let group = object.meta().labels.as_ref()?.get(GROUP_LABEL)?;
    Some(ObjectRef::new(group).within(object.meta().namespace.as_deref()?))
}

/// Lets through what has another generation or other annotations than before.
fn distinct<K>(changes: impl Stream<Item = Change<K>>) -> impl Stream<Item = Change<K>>
where
    K: Resource<DynamicType = ()>,
{
    let mut seen: HashMap<String, u64> = HashMap::new();
    changes.filter(move |change| {
        let news = match change {
            Change::Applied(object) => {
                let mut hasher = DefaultHasher::new();
                object.meta().generation.hash(&mut hasher);
                object.meta().annotations.hash(&mut hasher);
                let hash = hasher.finish();
                seen.insert(object.meta().uid.clone().unwrap_or_default(), hash) != Some(hash)
            }
            Change::Deleted(object) => {
                seen.remove(object.meta().uid.as_deref().unwrap_or_default());
                true
            }
        };
        std::future::ready(news)
    })
}

fn spawn<T: Send + 'static>(
    changes: impl Stream<Item = T> + Send + 'static,
    mut act: impl FnMut(T) + Send + 'static,
) {
    tokio::spawn(async move {
        let mut changes = std::pin::pin!(changes);
        while let Some(change) = changes.next().await {
            act(change);
        }
        // A watch never ends; if one does, a process that hears nothing must not stay.
        tracing::error!("a watch ended");
        std::process::exit(1);
    });
}

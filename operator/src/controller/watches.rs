//! What wakes which reconcile.
//!
//! ```text
//! ModelProvider ─▶ provider ─▶ groups that name it
//! ModelProvider that cannot be read ─▶ groups that name it
//! LoadBalanceGroup ─▶ group
//! Secret (metadata), ConfigMap ─▶ providers and groups that refer to it
//! Deployment, Service, ServiceAccount, Secret of a group (metadata) ─▶ group
//! Pod of a fleet ─▶ exchanges and status of the group
//! ```
//!
//! A status that we write must not wake our own reconcile: our kinds wake it only with a new generation or other annotations.

use std::fmt::Debug;

use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount};
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::watcher;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::context::Wakes;
use super::load_balance_group::build::{GROUP_LABEL, MANAGED_BY};
use crate::args::Args;
use crate::k8s::clients::Clients;
use crate::k8s::watch::{Change, Unreadable, Watchdog, follow, reflect};
use crate::reference::Reference;

mod news;
mod waker;

use news::{Generations, distinct};
use waker::Waker;
pub use waker::groups_of;

/// Copies of what is watched whole.
#[derive(Clone)]
pub struct Stores {
    /// All providers.
    pub providers: Store<ModelProvider>,
    /// All groups.
    pub groups: Store<LoadBalanceGroup>,
    /// The pods of all fleets.
    pub pods: Store<Pod>,
    /// Providers that are there and that this build cannot read.
    pub unreadable_providers: Unreadable,
    /// Groups that are there and that this build cannot read.
    pub unreadable_groups: Unreadable,
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
    let (providers, unreadable_providers, provider_changes) =
        watching.whole::<ModelProvider>("modelproviders", watcher::Config::default());
    let (groups, unreadable_groups, group_changes) =
        watching.whole::<LoadBalanceGroup>("loadbalancegroups", watcher::Config::default());
    let fleet = watcher::Config::default().labels(&format!(
        "app.kubernetes.io/managed-by={MANAGED_BY},{GROUP_LABEL}"
    ));
    let (pods, _, pod_changes) = watching.whole::<Pod>("pods", fleet.clone());
    let stores = Stores {
        providers,
        groups,
        pods,
        unreadable_providers,
        unreadable_groups,
    };

    let waker = Waker {
        stores: stores.clone(),
        wakes: wakes.clone(),
    };
    let to = waker.clone();
    spawn(distinct(provider_changes), move |change| to.provider(&change));
    let to = waker.clone();
    spawn(stores.unreadable_providers.changes(), move |(namespace, name)| {
        to.unreadable_provider(&namespace, &name);
    });
    let to = waker.clone();
    spawn(stores.unreadable_groups.changes(), move |(namespace, name)| {
        to.unreadable_group(&namespace, &name);
    });
    let to = waker.clone();
    spawn(distinct(group_changes), move |change| to.group(&change));
    let to = waker.clone();
    spawn(pod_changes, move |change| to.pod(&change));
    watching.sources::<Secret>(
        "secrets",
        watcher::Config::default().fields(SECRETS),
        &waker,
        Reference::secret,
    );
    watching.sources::<ConfigMap>(
        "configmaps",
        watcher::Config::default(),
        &waker,
        Reference::config_map,
    );
    watching.children::<Deployment>("deployments", &fleet, &waker);
    watching.children::<Service>("services", &fleet, &waker);
    watching.children::<ServiceAccount>("serviceaccounts", &fleet, &waker);
    stores
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
    ) -> (Store<K>, Unreadable, impl Stream<Item = Change<K>> + use<K>)
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
        waker: &Waker,
        reference: fn(&str, &str) -> Reference,
    ) where
        K: Watched,
    {
        let to = waker.clone();
        spawn(self.metadata::<K>(name, config), move |change| {
            to.source(&change, reference);
        });
    }

    /// Objects that the operator makes: what anybody changes there is set right again.
    fn children<K>(&self, name: &'static str, config: &watcher::Config, waker: &Waker)
    where
        K: Watched,
    {
        let to = waker.clone();
        let mut generations = Generations::default();
        spawn(self.metadata::<K>(name, config.clone()), move |change| {
            if generations.differ(&change) {
                to.owner(change.meta());
            }
        });
    }
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

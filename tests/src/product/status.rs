//! What the resources say, read from versions that a watcher saw or from the
//! API now.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use keypool_crds::v1alpha1::{KeyState, KeyStatus, LoadBalanceGroup, ModelProvider, ModelProviderStatus};
use kube::api::DynamicObject;
use kube::discovery::ApiResource;
use kube::{Api, Client, Resource};

use crate::wait::{self, TimedOut};
use crate::watcher::{Seen, Watcher};

/// Watches the ModelProviders of a namespace.
pub async fn watch_providers(client: Client, namespace: &str) -> Result<Watcher, kube::Error> {
    watch::<ModelProvider>(client, namespace).await
}

/// Watches the LoadBalanceGroups of a namespace.
pub async fn watch_groups(client: Client, namespace: &str) -> Result<Watcher, kube::Error> {
    watch::<LoadBalanceGroup>(client, namespace).await
}

/// Watches the Events of a namespace.
pub async fn watch_events(client: Client, namespace: &str) -> Result<Watcher, kube::Error> {
    watch::<Event>(client, namespace).await
}

/// Watches the pods of a namespace.
pub async fn watch_pods(client: Client, namespace: &str) -> Result<Watcher, kube::Error> {
    watch::<Pod>(client, namespace).await
}

async fn watch<K: Resource<DynamicType = ()>>(
    client: Client,
    namespace: &str,
) -> Result<Watcher, kube::Error> {
    let kind = ApiResource::erase::<K>(&());
    Watcher::start(Api::<DynamicObject>::namespaced_with(client, namespace, &kind)).await
}

/// The status in this version; one that was never written is the empty one.
pub fn provider(seen: &Seen) -> ModelProviderStatus {
    let status = seen.object.data.get("status").cloned().unwrap_or_default();
    serde_json::from_value(status).unwrap_or_default()
}

/// One key in this version of its ModelProvider.
pub fn key(seen: &Seen, name: &str) -> Option<KeyStatus> {
    provider(seen).keys.into_iter().find(|key| key.name == name)
}

/// A condition in this version.
pub fn condition(seen: &Seen, type_: &str) -> Option<Condition> {
    let conditions = seen.at_path("/status/conditions")?.clone();
    let conditions: Vec<Condition> = serde_json::from_value(conditions).ok()?;
    conditions.into_iter().find(|condition| condition.type_ == type_)
}

/// Waits for a version of `object`, seen after `since`, with this condition.
pub async fn wait_for_condition(
    watcher: &Watcher,
    object: &str,
    type_: &str,
    status: &str,
    since: Instant,
    limit: Duration,
) -> Result<Seen, TimedOut> {
    let what = format!("{type_} of {object} to be {status}");
    let is = |seen: &Seen| condition(seen, type_).is_some_and(|condition| condition.status == status);
    wait_for(watcher, &what, object, since, limit, is).await
}

/// Waits for a version of `object`, seen after `since`, that is as wanted; a
/// wait that runs out tells the object's last status.
pub async fn wait_for(
    watcher: &Watcher,
    what: &str,
    object: &str,
    since: Instant,
    limit: Duration,
    wanted: impl Fn(&Seen) -> bool,
) -> Result<Seen, TimedOut> {
    wait::until(what, limit, || {
        let versions = watcher.versions(object);
        let found = versions
            .iter()
            .find(|seen| seen.at >= since && wanted(seen))
            .cloned();
        let last = || versions.last().and_then(|seen| seen.at_path("/status").cloned());
        std::future::ready(found.ok_or_else(last))
    })
    .await
}

/// Waits for a version of `provider`, seen after `since`, in which the key is
/// as wanted. What comes back says when the watch showed it.
pub async fn wait_for_key(
    watcher: &Watcher,
    provider: &str,
    name: &str,
    since: Instant,
    limit: Duration,
    wanted: impl Fn(&KeyStatus) -> bool,
) -> Result<Seen, TimedOut> {
    let what = format!("key {name} of {provider}");
    let is = |seen: &Seen| key(seen, name).is_some_and(|key| wanted(&key));
    wait_for(watcher, &what, provider, since, limit, is).await
}

/// The states that a key went through, each once, in order; from the first
/// version that the watcher saw.
pub fn history(watcher: &Watcher, provider: &str, name: &str) -> Vec<KeyState> {
    let states = watcher.versions(provider);
    let states = states.iter().filter_map(|seen| key(seen, name));
    let mut states: Vec<KeyState> = states.map(|key| key.state).collect();
    states.dedup();
    states
}

/// The key as the API shows it now.
pub async fn key_now(
    providers: &Api<ModelProvider>,
    provider: &str,
    name: &str,
) -> anyhow::Result<KeyStatus> {
    let object = providers.get(provider).await?;
    let keys = object.status.unwrap_or_default().keys;
    keys.into_iter()
        .find(|key| key.name == name)
        .with_context(|| format!("no key {name} in the status of {provider}"))
}

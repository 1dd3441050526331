//! What one test works with.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use keypool_crds::v1alpha1::{KeyState, LoadBalanceGroup, ModelProvider};
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::ring::Test;
use crate::wait;
use crate::watcher::Watcher;

use super::keys::Keys;
use super::manifests::{self, Manifest};
use super::metrics::Metrics;
use super::provider::Provider;
use super::proxies::{self, Proxy};
use super::told::Told;
use super::{Caller, operator, status};

/// For what takes seconds on a quiet machine and must not fail on a busy one.
pub const LIMIT: Duration = Duration::from_secs(90);

/// One test's namespace, fake providers, keys and clients.
pub struct Scene {
    test: Test,
    known: Keys,
    told: Told,
    /// All that was ever to be read of both kinds and of Events.
    witnesses: Vec<Watcher>,
}

impl Scene {
    /// Installs the operator if no test did yet.
    pub async fn set(test: &Test) -> anyhow::Result<Self> {
        test.node()?;
        operator::install(test).await?;
        // What the operator makes is to run where nothing else may.
        let namespaces: Api<Namespace> = Api::all(test.client());
        let restricted =
            json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        namespaces
            .patch(
                test.namespace(),
                &Default::default(),
                &kube::api::Patch::Merge(restricted),
            )
            .await?;
        let namespace = test.namespace();
        let witnesses = vec![
            status::watch_providers(test.client(), namespace).await?,
            status::watch_groups(test.client(), namespace).await?,
            status::watch_events(test.client(), namespace).await?,
        ];
        Ok(Self {
            test: test.clone(),
            known: Keys::default(),
            told: Told::default(),
            witnesses,
        })
    }

    pub fn test(&self) -> &Test {
        &self.test
    }

    /// All keys that this test made; the scan at the end looks for them.
    pub fn known(&self) -> &Keys {
        &self.known
    }

    /// Starts a fake provider in a namespace of its own; its CA is in the
    /// test's namespace, in the ConfigMap `manifests::ca`.
    pub async fn provider(&self, name: &str) -> anyhow::Result<Provider> {
        let fake = Provider::start(&self.test, &format!("{}-{name}", self.test.namespace())).await?;
        self.trust(&fake, &manifests::ca(&fake)).await?;
        Ok(fake)
    }

    /// Puts the fake provider's CA into a ConfigMap of the test's namespace.
    pub async fn trust(&self, fake: &Provider, config_map: &str) -> anyhow::Result<()> {
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": config_map},
            "data": {"ca.crt": fake.ca_pem().await?},
        });
        self.apply(&[Manifest(manifest)]).await
    }

    /// Makes keys of these names; the fake provider knows them and no others.
    /// What comes back goes into [`manifests::secret`].
    pub async fn keys(&self, fake: &Provider, names: &[&str]) -> anyhow::Result<Vec<(String, String)>> {
        let keys: Vec<_> = names
            .iter()
            .map(|name| ((*name).to_owned(), self.known.fresh(name)))
            .collect();
        fake.know(&keys).await?;
        Ok(keys)
    }

    /// `kubectl apply --server-side` in the test's namespace.
    pub async fn apply(&self, manifests: &[Manifest]) -> anyhow::Result<()> {
        self.test.kubectl()?.apply(&manifests::text(manifests)).await?;
        Ok(())
    }

    /// Writes one data key of a Secret.
    pub async fn write_secret(&self, name: &str, key: &str, value: &str) -> anyhow::Result<()> {
        let values = [(key.to_owned(), value.to_owned())];
        let patch = json!({"stringData": manifests::secret(name, &values).0["stringData"]});
        let secrets: Api<Secret> = self.test.api();
        secrets
            .patch(name, &Default::default(), &kube::api::Patch::Merge(patch))
            .await?;
        Ok(())
    }

    pub fn providers(&self) -> Api<ModelProvider> {
        self.test.api()
    }

    pub fn load_balance_groups(&self) -> Api<LoadBalanceGroup> {
        self.test.api()
    }

    pub async fn watch_providers(&self) -> anyhow::Result<Watcher> {
        Ok(status::watch_providers(self.test.client(), self.test.namespace()).await?)
    }

    pub async fn watch_groups(&self) -> anyhow::Result<Watcher> {
        Ok(status::watch_groups(self.test.client(), self.test.namespace()).await?)
    }

    pub async fn watch_pods(&self) -> anyhow::Result<Watcher> {
        Ok(status::watch_pods(self.test.client(), self.test.namespace()).await?)
    }

    /// Waits until the group is Ready and Programmed with all its replicas
    /// ready and every key of these providers Healthy.
    pub async fn healthy(&self, providers: &[&str], group: &str) -> anyhow::Result<()> {
        for name in providers {
            wait::until(&format!("all keys of {name} to be Healthy"), LIMIT, || async {
                let provider = self
                    .providers()
                    .get(name)
                    .await
                    .map_err(|error| error.to_string())?;
                let keys = provider.status.unwrap_or_default().keys;
                match !keys.is_empty() && keys.iter().all(|key| key.state == KeyState::Healthy) {
                    true => Ok(()),
                    false => Err(format!("{keys:?}")),
                }
            })
            .await?;
        }
        self.serving(group).await
    }

    /// Waits until the group is Ready and Programmed, all its replicas are
    /// ready, and its Service answers.
    pub async fn serving(&self, group: &str) -> anyhow::Result<()> {
        wait::until(&format!("{group} to serve"), LIMIT, || async {
            let object = self.load_balance_groups().get(group).await;
            let object = object.map_err(|error| error.to_string())?;
            let replicas = object.spec.proxy.replicas;
            let generation = object.metadata.generation;
            let status = object.status.unwrap_or_default();
            let is = |type_: &str| {
                let mut conditions = status.conditions.iter();
                conditions.any(|condition| condition.type_ == type_ && condition.status == "True")
            };
            let current = status.observed_generation == generation;
            match current && is("Ready") && is("Programmed") && status.ready_replicas == Some(replicas) {
                true => Ok(()),
                false => Err(format!("{status:?}")),
            }
        })
        .await?;
        self.reachable(group).await
    }

    /// Waits until a proxy answers through the group's Service: the node's
    /// rules follow a pod's readiness by a moment, and refuse connections or
    /// lead to a pod that is gone until then.
    ///
    /// The question is one that the proxy answers itself, without a client
    /// key: nothing of it reaches a provider.
    pub async fn reachable(&self, group: &str) -> anyhow::Result<()> {
        let host = format!("{group}-keypool.{}.svc.cluster.local", self.test.namespace());
        let caller = Caller::new(&format!("http://{host}"), "none", group, self.told.clone())?;
        wait::until(&format!("the Service of {group}"), LIMIT, || async {
            let reply = caller.get("/v1/models").await;
            let reply = reply.map_err(|error| format!("{error:?}"))?;
            match reply.header("x-keypool-request-id") {
                Some(_) => Ok(()),
                None => Err(format!("{}: {}", reply.status, reply.text())),
            }
        })
        .await?;
        Ok(())
    }

    /// A client of the group's Service with the generated key, as an
    /// application that has the Secret `<group>-client` is one. It asks for
    /// the group's own name as model.
    pub async fn caller(&self, group: &str) -> anyhow::Result<Caller> {
        let name = format!("{group}-client");
        let secrets: Api<Secret> = self.test.api();
        let secret = wait::until("the client Secret", LIMIT, || secrets.get(&name)).await?;
        let data = secret.data.unwrap_or_default();
        let read = |key: &str| -> anyhow::Result<String> {
            let value = data.get(key).with_context(|| format!("no {key} in {name}"))?;
            Ok(String::from_utf8(value.0.clone())?)
        };
        let url = read("OPENAI_BASE_URL")?;
        let base = url.strip_suffix("/v1");
        let base = base.with_context(|| format!("OPENAI_BASE_URL is {url}"))?;
        let key = read("OPENAI_API_KEY")?;
        self.known.keep(&name, &key);
        Caller::new(base, &key, group, self.told.clone())
    }

    /// The group's proxies that have an address and stay.
    pub async fn proxies(&self, group: &str) -> anyhow::Result<Vec<Proxy>> {
        Ok(proxies::list(&self.test.api::<Pod>(), group).await?)
    }

    /// Waits until the group has so many pods, none of them on its way out.
    pub async fn settled(&self, group: &str, count: usize) -> anyhow::Result<()> {
        let api = self.test.api::<Pod>();
        let pods = || proxies::pods(&api, group);
        wait::until_value("the pods to settle", LIMIT, pods, |pods| pods.len() == count).await?;
        self.serving(group).await
    }

    /// A proxy's metrics, from the pod itself.
    pub async fn metrics(&self, proxy: &Proxy) -> anyhow::Result<Metrics> {
        let caller = Caller::new(&proxy.health_url(), "none", "", self.told.clone())?;
        let reply = caller.get("/metrics").await?;
        ensure!(reply.status == 200, "metrics: {}", reply.status);
        Ok(Metrics::new(reply.text()))
    }

    /// Gives the canary scan something that a client or an operator read.
    pub fn told(&self, place: &str, content: impl Into<Vec<u8>>) {
        self.told.keep(place, content);
    }

    /// Reads all metrics for the scan at the end: for a test that is about to replace or delete pods.
    pub async fn keep_metrics(&self) -> anyhow::Result<()> {
        let proxies = proxies::of_all_groups(&self.test.api()).await?;
        for proxy in proxies.iter().filter(|proxy| proxy.ready) {
            self.metrics(proxy).await?;
        }
        self.operator_metrics().await
    }

    /// The canary scan over everything the product let out: objects but
    /// Secrets, every version of its own kinds and of Events, the logs of all
    /// pods there ever were, metrics, and all that clients were told.
    pub async fn finish(self) -> anyhow::Result<()> {
        self.keep_metrics().await?;
        let mut scan = self.known.scan();
        self.told.look(&mut scan);
        for seen in self.witnesses.iter().flat_map(Watcher::seen) {
            scan.look(
                &format!("a version of {}", seen.name()),
                serde_json::to_vec(&seen.object)?,
            );
        }
        self.test.scan(&mut scan).await?;
        scan.finish()?;
        Ok(())
    }

    async fn operator_metrics(&self) -> anyhow::Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.test.client(), operator::NAMESPACE);
        let pods = pods.list(&ListParams::default()).await?;
        let addresses = pods.items.into_iter().filter_map(|pod| pod.status?.pod_ip);
        for address in addresses {
            let base = format!("http://{address}:8081");
            // A pod on its way out need not answer.
            let caller = Caller::new(&base, "none", "", self.told.clone())?;
            let _ = caller.get("/metrics").await;
        }
        Ok(())
    }
}

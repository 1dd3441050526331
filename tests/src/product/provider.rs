//! The fake provider as a pod, from the example's own manifest.
//!
//! It gets its keys by its control API and not, as in the example, by its
//! arguments: the canary scan reads every pod.

use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Service;
use keypool_fake_provider::{Client, Entry, Key, Scenario};
use kube::Api;

use crate::ring::Test;
use crate::{tools, wait};

use super::scene::LIMIT;

/// Where the example's manifest puts it.
const EXAMPLE: &str = "keypool-demo";
const CONTROL: u16 = 8090;

/// The example's manifest without the keys in it.
pub(super) fn without_keys(manifest: &str) -> String {
    let lines = manifest.lines().filter(|line| !line.contains("- --keys="));
    lines.collect::<Vec<_>>().join("\n")
}

/// One fake provider; it dereferences to the client of its control API.
#[derive(Clone, Debug)]
pub struct Provider {
    namespace: String,
    control: Client,
}

impl Deref for Provider {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.control
    }
}

impl Provider {
    /// Applies the example's manifest for another namespace, which goes with
    /// the test.
    pub(super) async fn start(test: &Test, namespace: &str) -> anyhow::Result<Self> {
        test.create_namespace(namespace, &[("pod-security.kubernetes.io/enforce", "restricted")])
            .await?;
        let path = tools::repository().join("examples/quickstart/provider/provider.yaml");
        let manifest = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let manifest = without_keys(&manifest).replace(EXAMPLE, namespace);
        let kubectl = test.kubectl_in(namespace)?;
        kubectl.apply(&manifest).await?;
        let ready = ["rollout", "status", "deployment/fake-provider", "--timeout=120s"];
        kubectl.run(&ready).await.context("starting the fake provider")?;
        Self::find(test, namespace).await
    }

    /// The one that runs in a namespace.
    pub(super) async fn find(test: &Test, namespace: &str) -> anyhow::Result<Self> {
        let services: Api<Service> = Api::namespaced(test.client(), namespace);
        let spec = services.get("fake-provider").await?.spec.unwrap_or_default();
        let address: IpAddr = spec
            .cluster_ip
            .context("no address of the fake provider")?
            .parse()?;
        let control = Client::new(SocketAddr::new(address, CONTROL));
        // The Service's rules follow the pod's readiness by a moment.
        wait::until("the fake provider's control port", LIMIT, || control.ca_pem()).await?;
        Ok(Self {
            namespace: namespace.to_owned(),
            control,
        })
    }

    /// Replaces what it knows by these keys, all valid.
    pub(super) async fn know(&self, keys: &[(String, String)]) -> anyhow::Result<()> {
        let mut scenario = self.control.scenario().await?;
        scenario.any_key = Some(false);
        scenario.keys = keys.iter().map(|(name, value)| Key::new(name, value)).collect();
        self.control.set_scenario(&Scenario { ..scenario }).await?;
        Ok(())
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name under which the cluster knows it.
    pub fn host(&self) -> String {
        format!("fake-provider.{}.svc.cluster.local", self.namespace)
    }

    /// What goes into `endpoint.url`.
    pub fn url(&self) -> String {
        format!("https://{}:8443/v1", self.host())
    }

    /// What it received after `since`, oldest first; the number to ask from
    /// next is [`Provider::mark`].
    pub async fn requests(&self, since: u64) -> anyhow::Result<Vec<Entry>> {
        Ok(self.control.log(since).await?)
    }

    /// The number of the last request so far.
    pub async fn mark(&self) -> anyhow::Result<u64> {
        let log = self.control.log(0).await?;
        Ok(log.last().map_or(0, |entry| entry.seq))
    }
}

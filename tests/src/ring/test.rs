//! What a test is handed: a namespace of its own and the ways to the cluster.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use kube::{Client, Resource};

use super::{Level, World};
use crate::control_plane::{ControlPlane, kubeconfig};
use crate::helm::Helm;
use crate::kubectl::Kubectl;
use crate::node::Node;
use crate::wait;

/// Marks the namespaces that tests made.
const LABEL: &str = "keypool.test/run";

/// The test needs what an existing cluster does not give: it is skipped.
#[derive(Debug, thiserror::Error)]
#[error("needs {0}")]
pub struct NotHere(pub &'static str);

/// Cheap to clone; clones are the same test.
#[derive(Clone)]
pub struct Test {
    world: Arc<World>,
    client: Client,
    namespace: String,
}

impl Test {
    pub(super) async fn set_up(world: Arc<World>, name: &str) -> anyhow::Result<Self> {
        let client = kubeconfig::client(world.kubeconfig()).await?;
        let test = Self {
            world,
            client,
            namespace: unique(name),
        };
        test.create_namespace(&test.namespace, &[]).await?;
        Ok(test)
    }

    pub(super) async fn tear_down(self) {
        // Its pods end while the next test begins.
        let api: Api<Namespace> = Api::all(self.client);
        let _ = api.delete(&self.namespace, &DeleteParams::background()).await;
    }

    /// The administrator's client.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A kind in the test's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client(), &self.namespace)
    }

    pub fn kubeconfig(&self) -> &Path {
        self.world.kubeconfig()
    }

    pub fn kubectl(&self) -> anyhow::Result<Kubectl> {
        Ok(Kubectl::new(self.kubeconfig(), &self.namespace)?)
    }

    pub fn helm(&self) -> anyhow::Result<Helm> {
        Ok(Helm::new(
            self.kubeconfig(),
            &self.namespace,
            &self.world.run_dir().sub("helm")?,
        )?)
    }

    /// The harness's own components; an existing cluster has none.
    pub fn world(&self) -> &World {
        &self.world
    }

    pub fn control_plane(&self) -> Result<&ControlPlane, NotHere> {
        self.world
            .control_plane()
            .ok_or(NotHere("a control plane of its own"))
    }

    pub fn node(&self) -> Result<&Node, NotHere> {
        self.world.node().ok_or(NotHere("a node of its own"))
    }

    /// One more namespace, for tests between namespaces or under Pod Security
    /// (`pod-security.kubernetes.io/enforce`, `restricted`).
    pub async fn create_namespace(&self, name: &str, labels: &[(&str, &str)]) -> anyhow::Result<()> {
        let own = [(LABEL, self.namespace.as_str())];
        let labels: BTreeMap<String, String> = own
            .iter()
            .chain(labels)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            ..Default::default()
        };
        let api: Api<Namespace> = Api::all(self.client());
        let namespace = Namespace {
            metadata,
            ..Default::default()
        };
        api.create(&PostParams::default(), &namespace)
            .await
            .with_context(|| format!("creating {name}"))?;
        if self.world.level() >= Level::Controllers {
            let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), name);
            // Without it no pod may be created.
            wait::until("the namespace's service account", Duration::from_secs(30), || {
                accounts.get("default")
            })
            .await?;
        }
        Ok(())
    }
}

/// A namespace name that says which test it was.
fn unique(name: &str) -> String {
    let name: String = name.replace('_', "-").chars().take(40).collect();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{name}-{:x}-{:x}", std::process::id(), now.subsec_nanos() >> 8)
}

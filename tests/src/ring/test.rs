//! What a test is handed: a namespace of its own and the ways to the cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Client, Resource};

use super::{Level, World, evidence};
use crate::canary::Scan;
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
        // Their pods end while the next test begins.
        let api: Api<Namespace> = Api::all(self.client());
        for name in self.namespaces().await {
            let _ = api.delete(&name, &DeleteParams::background()).await;
        }
    }

    /// The test's own namespace and those it made.
    pub(super) async fn namespaces(&self) -> Vec<String> {
        let api: Api<Namespace> = Api::all(self.client());
        let own = ListParams::default().labels(&format!("{LABEL}={}", self.namespace));
        let list = api.list(&own).await.map(|list| list.items).unwrap_or_default();
        list.into_iter()
            .filter_map(|namespace| namespace.metadata.name)
            .collect()
    }

    /// Those and what all tests share: where to look for what happened.
    pub(super) async fn places(&self) -> Vec<String> {
        let mut places = self.namespaces().await;
        places.extend(self.world.shared());
        places
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

    /// A copy of the kubeconfig, in `directory`, whose namespace is the test's.
    pub async fn kubeconfig_here(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        let path = directory.join("kubeconfig");
        std::fs::copy(self.kubeconfig(), &path)?;
        let namespace = format!("--namespace={}", self.namespace);
        let kubectl = Kubectl::new(&path, &self.namespace)?;
        let arguments = ["config", "set-context", "--current", &namespace];
        kubectl.run(&arguments).await?;
        Ok(path)
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

    /// kubectl in another namespace.
    pub fn kubectl_in(&self, namespace: &str) -> anyhow::Result<Kubectl> {
        Ok(Kubectl::new(self.kubeconfig(), namespace)?)
    }

    /// A kubeconfig with a token of a service account in the test's namespace,
    /// as a pod of it would have: for the operator as a plain process.
    pub async fn kubeconfig_as(&self, service_account: &str) -> anyhow::Result<PathBuf> {
        let accounts: Api<ServiceAccount> = self.api();
        let request = TokenRequest::default();
        let answer = accounts
            .create_token_request(service_account, &PostParams::default(), &request)
            .await
            .with_context(|| format!("asking for a token of {service_account}"))?;
        let token = answer.status.context("no token in the answer")?.token;
        let path = self.directory()?.join(format!("{service_account}.kubeconfig"));
        let plane = self.control_plane()?;
        kubeconfig::write_token(&path, plane.server(), &plane.authority.certificate(), &token)?;
        Ok(path)
    }

    /// Where the test writes files; its `*.log` are shown when it fails.
    pub fn directory(&self) -> anyhow::Result<PathBuf> {
        Ok(self.world.run_dir().sub(&format!("logs/{}", self.namespace))?)
    }

    /// Everything the cluster would tell a reader about the test: objects but
    /// Secrets, events, logs of pods and of the test's processes, the audit
    /// log, logs of components. For the canary scan.
    pub async fn scan(&self, scan: &mut Scan) -> anyhow::Result<()> {
        evidence::scan(self, scan).await
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

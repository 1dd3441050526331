//! An installation without a node: the chart's roles, the operator as a process, and proxies as processes that stand in for the pods
//! of the Deployment. Pods are real objects; only what a kubelet would write of them is written by the test.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use keypool_fake_provider::{FakeProvider, Key, Options};
use keypool_tests::process::{Process, Spec};
use keypool_tests::ring::Test;
use keypool_tests::watcher::Watcher;
use keypool_tests::{tools, wait};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

pub(crate) const PROVIDER: &str = "fake";
pub(crate) const GROUP: &str = "chat";
/// Names and values of the provider's keys; the values are canaries.
pub(crate) const KEYS: [(&str, &str); 3] = [
    ("a", "sk-canary-7Qw2xLr9Tf4mBz81"),
    ("b", "sk-canary-Jd83nVk5Yp0cHs62"),
    ("c", "sk-canary-Ru61eGx7Aq9wNt34"),
];

const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Installation {
    test: Test,
    pub(crate) fake: FakeProvider,
    kubeconfig: PathBuf,
    /// Address of the first proxy; the others follow.
    first: [u8; 4],
    /// What a kubelet would mount: keys belong there, so it lies where no log is looked for.
    mounts: tempfile::TempDir,
    proxies: Mutex<HashMap<String, (Ipv4Addr, Arc<Process>)>>,
}

impl Installation {
    /// Definitions, roles, a provider of three keys and a group of one member; nothing runs yet.
    pub(crate) async fn start(test: &Test, first: [u8; 4]) -> anyhow::Result<Self> {
        let definitions = concat!(env!("CARGO_MANIFEST_DIR"), "/../crds/yaml");
        let kubectl = test.kubectl()?;
        kubectl
            .run(&["apply", "--server-side", "--force-conflicts", "-f", definitions])
            .await?;
        kubectl
            .run(&[
                "wait",
                "--for=condition=Established",
                "--timeout=30s",
                "-f",
                definitions,
            ])
            .await?;
        // Only the account and its roles: the operator itself runs as a process of the test.
        let namespace = format!("watchNamespace={}", test.namespace());
        let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/keypool");
        let only = [
            "--show-only",
            "templates/serviceaccount.yaml",
            "--show-only",
            "templates/rbac.yaml",
        ];
        let render = [
            &["template", "keypool", chart, "--set", namespace.as_str()],
            &only[..],
        ]
        .concat();
        kubectl.apply(&test.helm()?.run(&render).await?).await?;
        let fake = FakeProvider::start(Options::with_keys(
            KEYS.map(|(name, value)| Key::new(name, value)),
        ))?;
        let credentials: Vec<Value> = KEYS
            .iter()
            .map(|(name, _)| json!({"name": name, "secretKeyRef": {"name": "keys", "key": name}}))
            .collect();
        let manifests = [
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": HashMap::from(KEYS)}),
            json!({
                "apiVersion": "keypool.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": PROVIDER},
                "spec": {"type": "OpenAICompatible", "endpoint": {"url": format!("{}/v1", fake.http_url())}, "credentials": credentials},
            }),
            json!({
                "apiVersion": "keypool.dev/v1alpha1", "kind": "LoadBalanceGroup", "metadata": {"name": GROUP},
                "spec": {"members": [{"name": "m", "providerRef": {"name": PROVIDER}, "model": "gpt-4.1"}], "proxy": {
                    "replicas": 2, "resources": {"limits": {"memory": "1Gi"}}, "imagePullSecrets": [{"name": "absent"}],
                }},
            }),
        ];
        let text: Vec<String> = manifests.iter().map(Value::to_string).collect();
        kubectl.apply(&text.join("\n---\n")).await?;
        let kubeconfig = test.kubeconfig_as("keypool-operator").await?;
        Ok(Self {
            test: test.clone(),
            fake,
            kubeconfig,
            first,
            mounts: tempfile::tempdir()?,
            proxies: Mutex::default(),
        })
    }

    /// One instance of the operator, `operator-<number>`. Its health address is its number's own.
    pub(crate) async fn operator(&self, number: u8) -> anyhow::Result<Process> {
        let name = &format!("operator-{number}");
        let namespace = self.test.namespace();
        let spec = Spec::new(name, tools::binary("keypool-operator")?, &self.test.directory()?)
            .args([
                "--proxy-image",
                "none",
                "--namespace",
                namespace,
                "--watch-namespace",
                namespace,
                "--instance",
                name,
            ])
            .args([
                "--lease-duration",
                "3",
                "--renew-deadline",
                "2",
                "--retry-period",
                "1",
            ])
            .args(["--health-listen", &self.health_address(name)])
            .env("KUBECONFIG", self.kubeconfig.to_string_lossy());
        Ok(Process::start(spec)?)
    }

    fn health_address(&self, name: &str) -> String {
        let [a, b, c, _] = self.first;
        format!("{a}.{b}.{c}.20{}:8081", name.trim_start_matches("operator-"))
    }

    /// Gives pods of the Deployment a process each, until `count` run, and waits until the group is programmed.
    pub(crate) async fn ready(&self, count: usize) -> anyhow::Result<()> {
        self.test
            .kubectl()?
            .run(&["scale", "lbg", GROUP, &format!("--replicas={count}")])
            .await?;
        let api: Api<Pod> = self.test.api();
        let selector = ListParams::default().labels(&format!("keypool.dev/group={GROUP}"));
        let names = || async {
            let pods = api.list(&selector).await?;
            Ok::<_, anyhow::Error>(
                pods.iter()
                    .filter(|pod| pod.metadata.deletion_timestamp.is_none())
                    .map(|pod| pod.name_any())
                    .collect::<Vec<_>>(),
            )
        };
        let names = wait::until_value("the Deployment's pods", LIMIT, names, |names| {
            names.len() == count
        })
        .await?;
        for (index, name) in names.iter().enumerate() {
            self.run_pod(name, index).await?;
        }
        self.settled(count).await
    }

    async fn run_pod(&self, name: &str, index: usize) -> anyhow::Result<()> {
        let [a, b, c, d] = self.first;
        let ip = Ipv4Addr::new(a, b, c, d + u8::try_from(index)?);
        let config = self.mounts.path().join(name);
        std::fs::create_dir_all(&config)?;
        let rendered = self.test.api::<Secret>().get(&format!("{GROUP}-keypool")).await?;
        for (file, bytes) in rendered.data.context("the rendered Secret has data")? {
            std::fs::write(config.join(file), bytes.0)?;
        }
        let spec = Spec::new(name, tools::binary("keypool-proxy")?, &self.test.directory()?)
            .args([
                "--config",
                &config.to_string_lossy(),
                "--listen",
                &format!("{ip}:8080"),
            ])
            .args([
                "--health",
                &format!("{ip}:8081"),
                "--exchange",
                &format!("{ip}:8443"),
            ]);
        let process = Arc::new(Process::start(spec)?);
        self.proxies
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(name.to_owned(), (ip, process));
        let now = "2026-01-01T00:00:00Z";
        let status = json!({"status": {
            "phase": "Running", "podIP": ip.to_string(), "podIPs": [{"ip": ip.to_string()}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
            "containerStatuses": [{"name": "proxy", "ready": true, "restartCount": 0, "image": "none", "imageID": "none",
                "state": {"running": {"startedAt": now}}}],
        }});
        self.test
            .api::<Pod>()
            .patch_status(name, &PatchParams::default(), &Patch::Merge(&status))
            .await?;
        Ok(())
    }

    /// Waits until the group and the provider say that all is known: programmed, all pods reporting, no key unproven.
    pub(crate) async fn settled(&self, pods: usize) -> anyhow::Result<()> {
        let look = || async {
            let group = self.get("LoadBalanceGroup", GROUP).await?;
            let provider = self.get("ModelProvider", PROVIDER).await?;
            Ok::<_, anyhow::Error>((group.data["status"].clone(), provider.data["status"].clone()))
        };
        wait::until_value(
            "group and provider to settle",
            LIMIT,
            look,
            |(group, provider)| {
                let programmed = group["conditions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|c| c["type"] == "Programmed" && c["status"] == "True");
                programmed
                    && provider["reporting"] == json!({"ready": pods, "total": pods})
                    && provider["keySummary"]["unknown"] == 0
            },
        )
        .await?;
        Ok(())
    }

    /// Waits until the instance that leads now is in an exchange with all pods: its own metrics tell.
    pub(crate) async fn acknowledged_by(&self, operators: &[Process], pods: usize) -> anyhow::Result<()> {
        let look = || async {
            let mut told = Vec::new();
            for operator in operators {
                let url = format!("http://{}/metrics", self.health_address(operator.name()));
                told.push(reqwest::get(url).await.ok().context("no answer"));
            }
            let mut texts = Vec::new();
            for answer in told.into_iter().flatten() {
                texts.push(answer.text().await?);
            }
            Ok::<_, anyhow::Error>(texts)
        };
        let wanted = format!("keypool_pods_acknowledged {pods}");
        wait::until_value("the new leader to hear all pods", LIMIT, look, |texts| {
            texts
                .iter()
                .any(|text| text.contains("keypool_leader 1") && text.contains(&wanted))
        })
        .await?;
        Ok(())
    }

    /// Sends requests one after the other to every proxy; each must be answered.
    pub(crate) async fn send(&self, count: usize) -> anyhow::Result<()> {
        let secret = self.test.api::<Secret>().get(&format!("{GROUP}-client")).await?;
        let key = String::from_utf8(
            secret.data.context("the client Secret has data")?["OPENAI_API_KEY"]
                .0
                .clone(),
        )?;
        let addresses: Vec<Ipv4Addr> = self
            .proxies
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .values()
            .map(|(ip, _)| *ip)
            .collect();
        let body = json!({"model": GROUP, "messages": [{"role": "user", "content": "hello"}]});
        for address in addresses {
            for _ in 0..count {
                let url = format!("http://{address}:8080/v1/chat/completions");
                let answer = reqwest::Client::new()
                    .post(url)
                    .bearer_auth(&key)
                    .json(&body)
                    .send()
                    .await?;
                ensure!(answer.status() == 200, "{}", answer.text().await?);
            }
        }
        Ok(())
    }

    pub(crate) async fn key_state(&self, key: &str, state: &str) -> anyhow::Result<()> {
        let look = || async {
            Ok::<_, anyhow::Error>(self.get("ModelProvider", PROVIDER).await?.data["status"]["keys"].clone())
        };
        let what = format!("key {key} to be {state}");
        wait::until_value(&what, LIMIT, look, |keys| {
            keys.as_array()
                .into_iter()
                .flatten()
                .any(|entry| entry["name"] == key && entry["state"] == state)
        })
        .await?;
        Ok(())
    }

    /// Asks for an end of all cooldowns, as a person would.
    pub(crate) async fn clear_cooldown(&self) -> anyhow::Result<()> {
        let value = format!(
            "keypool.dev/clear-cooldown=at-{:?}",
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?
        );
        self.test
            .kubectl()?
            .run(&["annotate", "--overwrite", "mprov", PROVIDER, &value])
            .await?;
        Ok(())
    }

    /// A provider that nobody uses, whose authority is in a ConfigMap that is not there.
    pub(crate) async fn provider_with_private_authority(&self) -> anyhow::Result<()> {
        let provider = json!({
            "apiVersion": "keypool.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": "private"},
            "spec": {"type": "OpenAICompatible", "endpoint": {"url": "https://127.0.0.1:1/v1", "caBundleRef": {"name": "absent"}}},
        });
        self.test.kubectl()?.apply(&provider.to_string()).await?;
        Ok(())
    }

    pub(crate) async fn watch(&self, kind: &str) -> anyhow::Result<Watcher> {
        Ok(Watcher::start(self.kind(kind)).await?)
    }

    async fn get(&self, kind: &str, name: &str) -> anyhow::Result<DynamicObject> {
        Ok(self.kind(kind).get(name).await?)
    }

    fn kind(&self, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("keypool.dev", "v1alpha1", kind));
        Api::namespaced_with(self.test.client(), self.test.namespace(), &resource)
    }

    /// No key stands anywhere that it must not.
    pub(crate) async fn finish(self, test: &Test) -> anyhow::Result<()> {
        let mut scan = super::super::keys();
        test.scan(&mut scan).await?;
        scan.finish()?;
        Ok(())
    }
}

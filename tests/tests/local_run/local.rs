//! A `keypool run` on manifests of the test, and what it says.

use super::{LIMIT, keypool};
use keypool_fake_provider::{FakeProvider, Key, Options};
use keypool_tests::canary::Scan;
use keypool_tests::process::{Process, Spec};
use keypool_tests::{logs, wait};
use rustix::process::Signal;
use std::path::PathBuf;
use std::time::Duration;

/// A directory of manifests, a provider and a running `keypool`.
pub(crate) struct Local {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) fake: FakeProvider,
    pub(crate) process: Process,
    pub(crate) keys: [String; 2],
    pub(crate) url: String,
}

const PROVIDER: &str = "apiVersion: keypool.dev/v1alpha1
kind: ModelProvider
metadata: {name: server}
spec:
  type: OpenAICompatible
  endpoint: {url: URL}
  credentials:
  - {name: one, secretKeyRef: {name: keys, key: one}}
  - {name: two, secretKeyRef: {name: keys, key: two}}
";
pub(crate) const GROUP: &str = "apiVersion: keypool.dev/v1alpha1
kind: LoadBalanceGroup
metadata: {name: chat}
spec:
  aliases: [ALIAS]
  members:
  - {name: a, providerRef: {name: server}, model: m}
";

impl Local {
    pub(crate) async fn start() -> Self {
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        let keys = ["Zq7vRk2mXw9LpTb4", "hJd83KsPq0VnYc5R"].map(|random| format!("sk-proj-{random}"));
        let named = [Key::new("one", &*keys[0]), Key::new("two", &*keys[1])];
        let fake = FakeProvider::start(Options::with_keys(named)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let manifests = directory.path().join("manifests");
        std::fs::create_dir(&manifests).unwrap();
        std::fs::write(
            manifests.join("provider.yaml"),
            PROVIDER.replace("URL", &format!("{}/v1", fake.http_url())),
        )
        .unwrap();
        std::fs::write(manifests.join("group.yaml"), GROUP.replace("ALIAS", "first")).unwrap();
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{one: {}}}\n",
            keys[0]
        );
        std::fs::write(manifests.join("secret.yaml"), secret).unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let spec = Spec::new("keypool", keypool(), directory.path())
            .args(["run", "-f", &path("manifests"), "--listen", "127.0.0.1:0"])
            .args([
                "--status",
                &path("status.yaml"),
                "--access-log",
                &path("access.log"),
            ])
            .env("KEYPOOL_SECRET_KEYS_TWO", &*keys[1])
            // Everything that the process can say is scanned.
            .env("RUST_LOG", "debug");
        let process = Process::start(spec).unwrap();
        let mut local = Self {
            directory,
            fake,
            process,
            keys,
            url: String::new(),
        };
        let base = local.said("(OPENAI_BASE_URL").await;
        local.url = base.split_whitespace().nth(1).unwrap().to_owned();
        local.said("chat a two: Healthy (Proven)").await;
        local
    }

    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(self.process.log()).unwrap()
    }

    /// Waits for a line of the output.
    pub(crate) async fn said(&self, text: &str) -> String {
        let look = || async {
            let output = self.output();
            let line = output.lines().find(|line| line.contains(text)).map(str::to_owned);
            line.ok_or_else(|| logs::tail(self.process.log(), 30))
        };
        wait::until(text, LIMIT, look).await.unwrap()
    }

    pub(crate) fn manifest(&self, name: &str) -> PathBuf {
        self.directory.path().join("manifests").join(name)
    }

    pub(crate) async fn ask(&self, model: &str) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let body = serde_json::json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
        let request = client
            .post(format!("{}/chat/completions", self.url))
            .bearer_auth("demo")
            .json(&body);
        request.send().await.unwrap().status().as_u16()
    }

    /// Chat requests that the provider saw with a key.
    pub(crate) fn asked_with(&self, key: &str) -> usize {
        self.fake
            .log(0)
            .iter()
            .filter(|entry| entry.key == key && entry.path.ends_with("/chat/completions"))
            .count()
    }

    pub(crate) fn status(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("status.yaml")).unwrap()
    }

    pub(crate) async fn answers(&self, model: &str) {
        wait::until(&format!("model {model} to be served"), LIMIT, || async {
            match self.ask(model).await {
                200 => Ok(()),
                other => Err(other),
            }
        })
        .await
        .unwrap();
    }

    /// Ends it as a person does and looks for keys in all that it ever said.
    pub(crate) fn finish(self) {
        self.process.signal(Signal::INT).unwrap();
        let status = self.process.stop(Duration::from_secs(10)).unwrap();
        assert!(status.success(), "{status}\n{}", self.output());
        let mut scan = Scan::new([("one", self.keys[0].as_str()), ("two", self.keys[1].as_str())]);
        for name in ["keypool.log", "status.yaml", "access.log"] {
            scan.look(name, std::fs::read(self.directory.path().join(name)).unwrap());
        }
        scan.finish().unwrap();
    }
}

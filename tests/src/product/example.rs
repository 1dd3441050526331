//! `examples/quickstart` by the commands of its README, with keys of the test's
//! own.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::guide::Guide;
use crate::tools;

use super::provider::without_keys;
use super::{Provider, Scene};

/// The namespace that the example's manifests name.
const PROVIDER_NAMESPACE: &str = "keypool-demo";
const EXAMPLE: &str = "examples/quickstart";

/// Credentials of the example and the value that its files give each.
const KEYS: [(&str, &str); 6] = [
    ("team-a", "demo-key-a1"),
    ("team-b", "demo-key-a2"),
    ("team-c", "demo-key-a3"),
    ("team-d", "demo-key-a4"),
    ("vllm", "demo-key-b1"),
    ("backup", "demo-key-c1"),
];

/// The example, applied.
#[derive(Debug)]
pub struct Quickstart {
    pub fake: Provider,
    guide: Guide,
    /// A directory like the repository's, but with the test's keys.
    copy: TempDir,
    kubeconfig: PathBuf,
}

impl Quickstart {
    pub const GROUP: &'static str = "chat";
    pub const PROVIDERS: [&'static str; 3] = ["openai", "vllm", "backup"];
    /// The four keys of member `a`.
    pub const KEYS_OF_A: [&'static str; 4] = ["team-a", "team-b", "team-c", "team-d"];
    /// The model that its clients ask for.
    pub const MODEL: &'static str = "gpt-4.1";

    /// Applies the example in the scene's namespace. The fake provider is in
    /// the namespace that the manifests name, so a test program does this once.
    pub async fn apply(scene: &Scene) -> anyhow::Result<Self> {
        let (test, copy) = (scene.test(), TempDir::new()?);
        // Made here, it goes with the test.
        test.create_namespace(PROVIDER_NAMESPACE, &[]).await?;
        let provider = Path::new(EXAMPLE).join("provider/provider.yaml");
        rewrite(&provider, copy.path(), without_keys)?;
        let guide = Guide::read(&format!("{EXAMPLE}/README.md"))?;
        let kubeconfig = test.kubeconfig_here(copy.path()).await?;
        guide
            .follow(&["rollout status"], copy.path(), &kubeconfig)
            .await?;

        let fake = Provider::find(test, PROVIDER_NAMESPACE).await?;
        scene.keys(&fake, &KEYS.map(|(name, _)| name)).await?;
        for file in ["secrets.yaml", "providers.yaml", "group.yaml"] {
            rewrite(&Path::new(EXAMPLE).join(file), copy.path(), |text| {
                let own = |text: String, (name, value)| text.replace(value, &scene.known().value(name));
                KEYS.into_iter().fold(text.to_owned(), own)
            })?;
        }
        let example = Self {
            fake,
            guide,
            copy,
            kubeconfig,
        };
        for text in ["create configmap", "loadbalancegroup/chat"] {
            example.follow(scene, &[text]).await?;
        }
        Ok(example)
    }

    /// Runs the README's commands that hold these texts in one shell, and gives
    /// what they printed.
    pub async fn follow(&self, scene: &Scene, texts: &[&str]) -> anyhow::Result<String> {
        let printed = self
            .guide
            .follow(texts, self.copy.path(), &self.kubeconfig)
            .await?;
        scene.told(&texts.join(", "), printed.clone());
        Ok(printed)
    }
}

/// Copies a file of the repository with another text to the same place below
/// `root`.
fn rewrite(file: &Path, root: &Path, edit: impl Fn(&str) -> String) -> anyhow::Result<()> {
    let from = tools::repository().join(file);
    let text = std::fs::read_to_string(&from).with_context(|| from.display().to_string())?;
    let to = root.join(file);
    if let Some(directory) = to.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(&to, edit(&text)).with_context(|| to.display().to_string())
}

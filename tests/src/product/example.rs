//! `examples/quickstart` as its README says, with keys of the test's own.

use std::path::Path;

use anyhow::Context as _;

use crate::tools;

use super::{Provider, Scene};

/// The namespace that the example's manifests name.
const PROVIDER_NAMESPACE: &str = "keypool-demo";

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
#[derive(Clone, Debug)]
pub struct Quickstart {
    pub fake: Provider,
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
        let fake = scene.provider_in(PROVIDER_NAMESPACE).await?;
        scene.keys(&fake, &KEYS.map(|(name, _)| name)).await?;
        let directory = tools::repository().join("examples/quickstart");
        let kubectl = scene.test().kubectl()?;
        scene.trust(&fake, "fake-provider-ca").await?;
        for file in manifests_in(&directory)? {
            let mut text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            for (name, value) in KEYS {
                text = text.replace(value, &scene.known().value(name));
            }
            kubectl
                .apply(&text)
                .await
                .with_context(|| file.display().to_string())?;
        }
        Ok(Self { fake })
    }
}

/// What `kubectl apply -f DIRECTORY` takes: not its sub-directories.
fn manifests_in(directory: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let entries = std::fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    Ok(files)
}

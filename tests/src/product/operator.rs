//! The operator, installed by the commands of the README.

use std::sync::OnceLock;

use anyhow::Context as _;
use tokio::sync::OnceCell;

use crate::guide::Guide;
use crate::images::Image;
use crate::ring::Test;
use crate::tools;

/// Where the operator runs.
pub const NAMESPACE: &str = "keypool-system";
/// The operator's Deployment there.
pub const DEPLOYMENT: &str = "keypool-operator";

/// Installs both charts once; its tests share what is for the whole cluster.
pub(super) async fn install(test: &Test) -> anyhow::Result<()> {
    static INSTALLED: OnceLock<OnceCell<()>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(OnceCell::new);
    installed.get_or_try_init(|| charts(test)).await.map(drop)
}

async fn charts(test: &Test) -> anyhow::Result<()> {
    if let Ok(node) = test.node() {
        node.images().add(&Image::operator()?).await?;
        node.images().add(&Image::proxy()?).await?;
        node.images().add(&Image::fake_provider()?).await?;
    }
    test.world().share(NAMESPACE);
    Guide::read("README.md")?
        .follow(&["helm upgrade"], &tools::repository(), test.kubeconfig())
        .await?;
    let deployment = format!("deployment/{DEPLOYMENT}");
    let ready = ["rollout", "status", &deployment, "--timeout=120s"];
    let kubectl = test.kubectl_in(NAMESPACE)?;
    kubectl.run(&ready).await.context("starting the operator")?;
    Ok(())
}

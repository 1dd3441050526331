//! The operator, installed with helm as the chart's README says.

use std::sync::OnceLock;

use anyhow::Context as _;
use tokio::sync::OnceCell;

use crate::helm::Helm;
use crate::images::Image;
use crate::ring::Test;

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
    let home = test.world().run_dir().sub("helm")?;
    let helm = Helm::new(test.kubeconfig(), NAMESPACE, &home)?;
    helm.install("keypool-crds", "keypool-crds", &[])
        .await
        .context("installing the definitions")?;
    helm.install("keypool", "keypool", &[])
        .await
        .context("installing the operator")?;
    Ok(())
}

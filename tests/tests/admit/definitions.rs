//! The definitions, installed for a test.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use keypool_tests::ring::Test;
use keypool_tests::tools;
use keypool_tests::wait;

pub(crate) const LIMIT: Duration = Duration::from_secs(30);
pub(crate) const FILES: [&str; 2] = ["modelproviders.keypool.dev", "loadbalancegroups.keypool.dev"];

/// A file of this repository.
pub(crate) fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(tools::repository().join(path)).with_context(|| format!("reading {path}"))
}

/// Applies the definitions, without a word of warning from the API server, and waits until they are served.
pub(crate) async fn install(test: &Test) -> anyhow::Result<()> {
    let kubectl = test.kubectl()?;
    for file in FILES {
        let manifest = read(&format!("crds/yaml/{file}.yaml"))?;
        let output = kubectl
            .try_run(&["apply", "--server-side", "--filename", "-"], &manifest)
            .await?;
        ensure!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            output.stderr
        );
    }
    let wait_for = ["wait", "--for=condition=Established", "--timeout=30s", "crd"];
    kubectl.run(&[&wait_for[..], &FILES[..]].concat()).await?;
    wait::until("the kinds to be found", LIMIT, || async {
        kubectl
            .run(&["get", "keypool"])
            .await
            .map_err(|error| error.to_string())
    })
    .await?;
    Ok(())
}

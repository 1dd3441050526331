//! What a cluster tells its readers about one test, for the canary scan.

use super::{Level, Test};
use crate::canary::Scan;
use crate::kubectl::Kubectl;

pub(super) async fn scan(test: &Test, scan: &mut Scan) -> anyhow::Result<()> {
    for name in test.places().await {
        let kubectl = test.kubectl_in(&name)?;
        objects(&kubectl, &name, scan).await?;
        match test.node() {
            // Of pods that are gone too.
            Ok(node) => {
                for (place, content) in node.pod_logs().of(&name)? {
                    scan.look(&place, content);
                }
            }
            Err(_) if test.world().level() >= Level::Cluster => pod_logs(&kubectl, &name, scan).await?,
            Err(_) => {}
        }
    }
    // Components, the audit log, the test's own processes.
    scan.look_in(&test.world().run_dir().sub("logs")?)?;
    Ok(())
}

/// Every kind but Secrets, whose matter it is to hold keys.
async fn objects(kubectl: &Kubectl, namespace: &str, scan: &mut Scan) -> anyhow::Result<()> {
    let kinds = kubectl
        .run(&["api-resources", "--namespaced", "--verbs=list", "--output=name"])
        .await?;
    let kinds: Vec<&str> = kinds.lines().filter(|kind| *kind != "secrets").collect();
    let list = ["get", &kinds.join(","), "--output=json", "--show-managed-fields"];
    scan.look(&format!("objects in {namespace}"), kubectl.run(&list).await?);
    Ok(())
}

async fn pod_logs(kubectl: &Kubectl, namespace: &str, scan: &mut Scan) -> anyhow::Result<()> {
    let pods = kubectl.run(&["get", "pods", "--output=name"]).await?;
    for pod in pods.lines() {
        for extra in ["--previous=false", "--previous=true"] {
            let command = ["logs", pod, "--all-containers", "--ignore-errors", extra];
            // A pod that has not started, or was not restarted, has none.
            let output = kubectl.try_run(&command, "").await?;
            scan.look(&format!("log of {pod} in {namespace}"), output.stdout);
        }
    }
    Ok(())
}

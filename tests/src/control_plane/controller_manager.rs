//! kube-controller-manager: garbage collection, Deployments, EndpointSlices,
//! service accounts and the rest.

use std::path::Path;

use super::Error;
use crate::process::Spec;
use crate::tools;

pub(super) fn spec(
    kubeconfig: &Path,
    service_account_key: &Path,
    ca: &Path,
    logs: &Path,
) -> Result<Spec, Error> {
    Ok(Spec::new(
        "kube-controller-manager",
        tools::KUBE_CONTROLLER_MANAGER.path()?,
        logs,
    )
    .args([
        format!("--kubeconfig={}", kubeconfig.display()),
        format!(
            "--service-account-private-key-file={}",
            service_account_key.display()
        ),
        format!("--root-ca-file={}", ca.display()),
        "--leader-elect=false".to_owned(),
        // Else a stopped API server passes for a dead node, and the Services
        // are emptied.
        "--node-monitor-grace-period=10m".to_owned(),
        // Requests are limited to 20 a second by default: a test of 500
        // groups would wait for this and not for the operator.
        "--kube-api-qps=200".to_owned(),
        "--kube-api-burst=400".to_owned(),
        // Serves nothing: no port to choose, nobody asks it.
        "--secure-port=0".to_owned(),
        "--profiling=false".to_owned(),
    ]))
}

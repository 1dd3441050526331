//! The cluster components that run as processes of the node.

use std::path::Path;

use super::{ADDRESS, Error, NAME, POD_RANGE, write};
use crate::control_plane::ControlPlane;
use crate::process::Spec;
use crate::tools;

pub(super) fn specs(state: &Path, plane: &ControlPlane, logs: &Path) -> Result<Vec<Spec>, Error> {
    let access = plane.kubeconfig();
    Ok(vec![
        scheduler(access, logs)?,
        proxy(access, logs)?,
        dns(state, access, logs)?,
    ])
}

fn scheduler(access: &Path, logs: &Path) -> Result<Spec, Error> {
    Ok(
        Spec::new("kube-scheduler", tools::KUBE_SCHEDULER.path()?, logs).args([
            format!("--kubeconfig={}", access.display()),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
        ]),
    )
}

fn proxy(access: &Path, logs: &Path) -> Result<Spec, Error> {
    Ok(Spec::new("kube-proxy", tools::KUBE_PROXY.path()?, logs).args([
        format!("--kubeconfig={}", access.display()),
        format!("--hostname-override={NAME}"),
        "--proxy-mode=iptables".to_owned(),
        format!("--cluster-cidr={POD_RANGE}"),
        // The table's size is the machine's, not the namespace's.
        "--conntrack-max-per-core=0".to_owned(),
        "--oom-score-adj=0".to_owned(),
    ]))
}

/// On the node's own address, so that pods and the node ask the same server.
fn dns(state: &Path, access: &Path, logs: &Path) -> Result<Spec, Error> {
    let configuration = state.join("Corefile");
    let access = access.display();
    write(
        &configuration,
        &format!(
            "\
.:53 {{
    bind {ADDRESS}
    errors
    ready 127.0.0.1:8181
    cache 2
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {access} test
        pods insecure
    }}
}}
"
        ),
    )?;
    Ok(Spec::new("coredns", tools::COREDNS.path()?, logs)
        .arg("-conf")
        .arg(configuration.display().to_string()))
}

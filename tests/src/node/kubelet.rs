//! The kubelet, set up for a machine that is not its own.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{ADDRESS, Error, NAME, containerd, make_directory, write};
use crate::control_plane::{ControlPlane, kubeconfig};
use crate::process::Spec;
use crate::tools;

pub(super) fn spec(state: &Path, cgroup: &str, plane: &ControlPlane, logs: &Path) -> Result<Spec, Error> {
    let authority = &plane.authority;
    let client = authority.client("kubelet", &format!("system:node:{NAME}"), "system:nodes")?;
    let server = authority.server("kubelet-server", &[NAME], &[IpAddr::V4(ADDRESS)])?;
    let access = state.join("kubelet.kubeconfig");
    kubeconfig::write(&access, plane.server(), &authority.certificate(), &client)?;
    let root = state.join("kubelet");
    make_directory(&root)?;

    // `syncFrequency` stays at its default: with a short one Secret changes
    // reach volumes so soon that they pass for the fast path.
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": authority.certificate()},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": server.certificate,
        "tlsPrivateKeyFile": server.key,
        "containerRuntimeEndpoint": format!("unix://{}", containerd::socket(state).display()),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "enforceNodeAllocatable": [],
        "failCgroupV1": false,
        "failSwapOn": false,
        // Lowering it takes CAP_SYS_RESOURCE.
        "oomScoreAdj": 0,
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": state.join("resolv.conf"),
        "podLogsDir": pod_logs(state),
        "volumePluginDir": state.join("volume-plugins"),
        // The machine's disk and memory are other people's matter.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": false,
    });
    let path = state.join("kubelet.yaml");
    write(&path, &config.to_string())?;
    Ok(Spec::new("kubelet", tools::KUBELET.path()?, logs).args([
        format!("--config={}", path.display()),
        format!("--kubeconfig={}", access.display()),
        format!("--hostname-override={NAME}"),
        format!("--node-ip={ADDRESS}"),
        format!("--root-dir={}", root.display()),
        format!("--cert-dir={}", state.join("kubelet-certificates").display()),
    ]))
}

/// Where it puts the logs of pods.
pub(super) fn pod_logs(state: &Path) -> PathBuf {
    state.join("pod-logs")
}

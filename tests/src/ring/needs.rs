//! What a ring needs of the machine.

use std::path::Path;

use super::{Level, World};
use crate::node::namespaces;
use crate::tools::{self, Tool};

/// Programs of the distribution that the node uses.
const PROGRAMS: [&str; 12] = [
    "buildah",
    "busybox",
    "catatonit",
    "containerd",
    "ctr",
    "ip",
    "iptables",
    "mount",
    "nsenter",
    "runc",
    "setpriv",
    "unshare",
];

/// `Err` says in one line why the ring cannot run here.
pub(super) fn check(level: Level) -> Result<(), String> {
    let mut needed: Vec<Tool> = vec![tools::KUBECTL];
    if World::own() {
        needed.extend([tools::ETCD, tools::KUBE_APISERVER]);
        if level >= Level::Controllers {
            needed.push(tools::KUBE_CONTROLLER_MANAGER);
        }
        if level >= Level::Cluster {
            needed.extend([
                tools::KUBE_SCHEDULER,
                tools::KUBE_PROXY,
                tools::KUBELET,
                tools::COREDNS,
                tools::HELM,
            ]);
        }
    }
    for tool in needed {
        tool.path().map_err(|error| error.to_string())?;
    }
    if level >= Level::Cluster && World::own() {
        node()
    } else {
        Ok(())
    }
}

fn node() -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("a node needs Linux".to_owned());
    }
    if !rustix::process::geteuid().is_root() {
        return Err("a node needs root".to_owned());
    }
    let missing: Vec<&str> = PROGRAMS.into_iter().filter(|program| !on_path(program)).collect();
    if !missing.is_empty() {
        return Err(format!("{} not found: run `make tools`", missing.join(", ")));
    }
    match namespaces::obstacle() {
        None => Ok(()),
        Some(why) => Err(format!("own namespaces cannot be made here ({why})")),
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .any(|directory: std::path::PathBuf| Path::new(&directory).join(program).is_file())
}

//! The node's machine: network, mounts, resolver, all inside the namespaces.

use std::path::{Path, PathBuf};

use super::{ADDRESS, Error, make_directory, run, write};

/// Cluster names resolve for the tests as they do for pods.
const RESOLVER: &str = "search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n";

pub(super) fn set_up(state: &Path) -> Result<(), Error> {
    mounts(state)?;
    network()?;
    resolver(state)
}

/// Memory over every place that components write to outside the state
/// directory: pid files, pod logs, the CNI plugins' records.
fn mounts(state: &Path) -> Result<(), Error> {
    for path in ["/run", "/var/log", "/var/lib/cni"] {
        make_directory(Path::new(path))?;
        run("mount", &["-t", "tmpfs", "-o", "mode=0755", "tmpfs", path])?;
    }
    make_directory(state)?;
    // Mounts made for a volume have to reach the pod; nobody else is left to
    // see them, the namespace being private.
    run("mount", &["--make-rshared", "/"])
}

/// A bridge without ports holds the node's address: loopback is refused as a
/// node's address, and not every kernel has dummy devices.
fn network() -> Result<(), Error> {
    let address = format!("{ADDRESS}/24");
    for arguments in [
        vec!["link", "set", "lo", "up"],
        vec!["link", "add", "node0", "type", "bridge"],
        vec!["address", "add", &address, "dev", "node0"],
        vec!["link", "set", "node0", "up"],
        vec!["route", "add", "default", "dev", "node0"],
    ] {
        run("ip", &arguments)?;
    }
    write(Path::new("/proc/sys/net/ipv4/ip_forward"), "1")
}

fn resolver(state: &Path) -> Result<(), Error> {
    let own = state.join("resolv.conf");
    write(&own, &format!("nameserver {ADDRESS}\n{RESOLVER}"))?;
    let system = Path::new("/etc/resolv.conf");
    let target = std::fs::read_link(system).map(|link| Path::new("/etc").join(link));
    match target {
        // Often a link into /run, which is empty now.
        Ok(target) => {
            let target: PathBuf = target;
            if let Some(parent) = target.parent() {
                make_directory(parent)?;
            }
            write(&target, &format!("nameserver {ADDRESS}\n{RESOLVER}"))
        }
        Err(_) => run(
            "mount",
            &[
                "--bind",
                &own.display().to_string(),
                &system.display().to_string(),
            ],
        ),
    }
}

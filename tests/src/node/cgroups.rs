//! The control groups that the node's pods run in.
//!
//! They are the machine's, not the namespaces': named after the run, removed
//! by the outer program at its end, and by the next run if it was killed.

use std::path::{Path, PathBuf};

use super::Error;

const MOUNT: &str = "/sys/fs/cgroup";
const PREFIX: &str = "keypool-";

/// Makes the group in every hierarchy and gives its name for the kubelet.
pub(super) fn create(identity: &str) -> Result<String, Error> {
    let name = format!("{PREFIX}{identity}");
    for hierarchy in hierarchies() {
        let group = hierarchy.join(&name);
        let failed = |source| Error::File {
            act: "make",
            path: group.clone(),
            source,
        };
        std::fs::create_dir_all(&group).map_err(failed)?;
        // A new cpuset is empty, and nothing may run in an empty one.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(value) = std::fs::read(hierarchy.join(file)) {
                std::fs::write(group.join(file), value).map_err(failed)?;
            }
        }
    }
    if Path::new(MOUNT).join("cgroup.controllers").exists() {
        hand_down_controllers(Path::new(MOUNT));
        hand_down_controllers(&Path::new(MOUNT).join(&name));
    }
    Ok(format!("/{name}"))
}

/// Version 2 only: children get the controllers that their parent names.
fn hand_down_controllers(group: &Path) {
    for controller in ["cpu", "cpuset", "memory", "pids", "io", "hugetlb"] {
        // Those the kernel does not have are refused, one by one.
        let _ = std::fs::write(group.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

pub(super) fn remove(identity: &str) {
    for hierarchy in hierarchies() {
        remove_tree(&hierarchy.join(format!("{PREFIX}{identity}")));
    }
}

/// Groups of runs whose outer program is no more.
pub(super) fn remove_left_over() {
    for hierarchy in hierarchies() {
        let Ok(entries) = std::fs::read_dir(hierarchy) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(identity) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
                continue;
            };
            if !Path::new("/proc").join(identity).exists() {
                remove_tree(&entry.path());
            }
        }
    }
}

/// Only directories can be removed; the files in them go with them.
fn remove_tree(group: &Path) {
    if let Ok(entries) = std::fs::read_dir(group) {
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _ = std::fs::remove_dir(group);
}

/// The mount itself (version 2), or the directories in it (version 1).
fn hierarchies() -> Vec<PathBuf> {
    let mount = Path::new(MOUNT);
    if mount.join("cgroup.procs").exists() {
        return vec![mount.to_owned()];
    }
    let entries = std::fs::read_dir(mount)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    // `cpu,cpuacct` has a link for each of the two.
    entries
        .filter(|path| path.join("cgroup.procs").exists() && !path.is_symlink())
        .collect()
}

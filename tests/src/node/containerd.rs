//! The container runtime with its network plugins.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Error, POD_RANGE, make_directory, write};
use crate::images::PAUSE;
use crate::process::{Process, Spec};
use crate::{logs, wait};

/// Where distributions put the plugins.
const PLUGINS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];

pub(super) fn socket(state: &Path) -> PathBuf {
    state.join("containerd.sock")
}

pub(super) fn spec(state: &Path, logs: &Path) -> Result<Spec, Error> {
    let networks = state.join("networks");
    make_directory(&networks)?;
    write(&networks.join("10-pods.conflist"), &network())?;
    let config = state.join("containerd.toml");
    write(&config, &configuration(state, &networks))?;
    Ok(Spec::new("containerd", "containerd", logs)
        .arg("--config")
        .arg(config.display().to_string()))
}

/// Waits until it answers.
pub(super) async fn wait(state: &Path, containerd: &Process) -> Result<(), Error> {
    let socket = socket(state);
    let answers = wait::until("containerd to answer", Duration::from_secs(30), || async {
        containerd.check_running().map_err(|error| error.to_string())?;
        let output = Command::new("ctr")
            .arg("--address")
            .arg(&socket)
            .arg("version")
            .output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(error.to_string()),
        }
    });
    answers.await.map_err(|error| Error::NotReady {
        why: error.to_string(),
        logs: logs::tail(containerd.log(), 20),
    })
}

fn configuration(state: &Path, networks: &Path) -> String {
    let state = state.display();
    let plugins = PLUGINS
        .into_iter()
        .find(|path| Path::new(path).join("ptp").exists())
        .unwrap_or(PLUGINS[0]);
    let networks = networks.display();
    format!(
        r#"version = 2
root = "{state}/containerd"
state = "{state}/containerd-state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{state}/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Else every sandbox dies where root has no CAP_SYS_RESOURCE.
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "{networks}"
"#
    )
}

/// One veth pair and one route per pod: no bridge, no bridge filtering.
fn network() -> String {
    serde_json::json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": POD_RANGE}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
    .to_string()
}

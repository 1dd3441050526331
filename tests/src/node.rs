//! One real node beside the control plane: containerd, kubelet, kube-proxy,
//! scheduler, cluster DNS.
//!
//! Everything, the test program included, runs in network, mount and process
//! namespaces of its own (`node/namespaces.rs`). So a test reaches Services,
//! pods and cluster names plainly, nothing of the machine's network or files
//! changes, and the end of the namespaces' first process is the end of every
//! component, shim and pod.

mod blocks;
mod cgroups;
mod components;
mod containerd;
mod host;
mod kubelet;
pub mod namespaces;
mod pod_logs;
pub mod pod_process;

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::Api;

use crate::control_plane::{ControlPlane, kubeconfig};
use crate::process::{self, Process};
use crate::run_dir::{self, RunDir};
use crate::{images, logs, pki, tools, wait};

pub use blocks::{Block, Manner};
pub use pod_logs::PodLogs;

/// The node's name in the cluster.
pub const NAME: &str = "node0";
/// The node's address; also the cluster's name server.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The pods' addresses.
pub const POD_RANGE: &str = "10.244.0.0/24";

/// Held in memory: gone with the namespaces.
const STATE: &str = "/run/keypool";
const READY_LIMIT: Duration = Duration::from_secs(90);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Tool(#[from] tools::Error),
    #[error(transparent)]
    Pki(#[from] pki::Error),
    #[error(transparent)]
    Process(#[from] process::Error),
    #[error(transparent)]
    RunDir(#[from] run_dir::Error),
    #[error(transparent)]
    Client(#[from] kubeconfig::Error),
    #[error(transparent)]
    Image(#[from] images::Error),
    #[error("cannot {act} {}: {source}", path.display())]
    File {
        act: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("`{command}` failed: {how}")]
    Command { command: String, how: String },
    #[error("the node did not become Ready: {why}\n{logs}")]
    NotReady { why: String, logs: String },
}

/// What the node needs before the control plane starts: its network and the
/// container runtime, which comes up meanwhile.
pub struct Prepared {
    state: PathBuf,
    containerd: Process,
    cgroup: String,
}

impl Prepared {
    pub fn address() -> IpAddr {
        IpAddr::V4(ADDRESS)
    }

    /// Where etcd keeps its data.
    pub fn etcd_data(&self) -> PathBuf {
        self.state.join("etcd")
    }
}

/// Lays out the namespaces this program runs in, and starts containerd.
pub fn prepare(run: &RunDir) -> Result<Prepared, Error> {
    let state = PathBuf::from(STATE);
    host::set_up(&state)?;
    let cgroup = cgroups::create(&namespaces::identity())?;
    let containerd = Process::start(containerd::spec(&state, &run.sub("logs")?)?)?;
    Ok(Prepared {
        state,
        containerd,
        cgroup,
    })
}

/// A running node; dropping it kills its components, not its pods: those end
/// with the namespaces.
pub struct Node {
    images: images::Store,
    pod_logs: PodLogs,
    components: Vec<Process>,
}

impl Node {
    /// Starts the components and returns when the node is Ready.
    pub async fn start(run: &RunDir, prepared: Prepared, plane: &ControlPlane) -> Result<Self, Error> {
        let Prepared {
            state,
            containerd,
            cgroup,
        } = prepared;
        let logs = run.sub("logs")?;
        let images = images::Store::new(&state, &containerd::socket(&state));
        containerd::wait(&state, &containerd).await?;
        images.add(&images::Image::pause()).await?;

        let mut components = vec![containerd];
        components.push(Process::start(kubelet::spec(&state, &cgroup, plane, &logs)?)?);
        for spec in components::specs(&state, plane, &logs)? {
            components.push(Process::start(spec)?);
        }
        let pod_logs = PodLogs::keep(kubelet::pod_logs(&state));
        let node = Self {
            images,
            pod_logs,
            components,
        };
        node.wait_until_ready(plane, &logs).await?;
        Ok(node)
    }

    /// Where images are put for pods to use.
    pub fn images(&self) -> &images::Store {
        &self.images
    }

    /// What pods wrote.
    pub fn pod_logs(&self) -> &PodLogs {
        &self.pod_logs
    }

    /// `containerd`, `kubelet`, `kube-proxy`, `kube-scheduler` or `coredns`.
    pub fn component(&self, name: &str) -> Option<&Process> {
        self.components.iter().find(|process| process.name() == name)
    }

    async fn wait_until_ready(&self, plane: &ControlPlane, logs: &Path) -> Result<(), Error> {
        let api: Api<NodeObject> = Api::all(kubeconfig::client(plane.kubeconfig()).await?);
        let ready = wait::until("the node to be Ready", READY_LIMIT, || async {
            if let Err(gone) = self.components.iter().try_for_each(Process::check_running) {
                return Ok(Err(gone));
            }
            let node = api.get(NAME).await.map_err(|error| error.to_string())?;
            let conditions = node
                .status
                .and_then(|status| status.conditions)
                .unwrap_or_default();
            match conditions
                .into_iter()
                .find(|condition| condition.type_ == "Ready")
            {
                Some(condition) if condition.status == "True" => Ok(Ok(())),
                Some(condition) => Err(condition.message.unwrap_or_default()),
                None => Err("no Ready condition".to_owned()),
            }
        });
        let failed = |why: &dyn Display| Error::NotReady {
            why: why.to_string(),
            logs: logs::tails(logs, 15),
        };
        ready
            .await
            .map_err(|error| failed(&error))?
            .map_err(|gone| failed(&gone))
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<(), Error> {
    let failed = |how: String| Error::Command {
        command: format!("{program} {}", arguments.join(" ")),
        how,
    };
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

fn write(path: &Path, content: &str) -> Result<(), Error> {
    std::fs::write(path, content).map_err(|source| Error::File {
        act: "write",
        path: path.to_owned(),
        source,
    })
}

fn make_directory(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|source| Error::File {
        act: "make",
        path: path.to_owned(),
        source,
    })
}

//! etcd, kube-apiserver and, for the controller ring, kube-controller-manager.
//!
//! Without a node everything listens on loopback, on ports that were free a
//! moment ago, so rings of several runs do not meet.

mod api_server;
pub mod audit;
mod controller_manager;
mod etcd;
pub mod kubeconfig;
mod ports;

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::pki::{self, Authority};
use crate::process::{self, Process};
use crate::run_dir::{self, RunDir};
use crate::{logs, tools, wait};

pub use api_server::SERVICE_RANGE;

/// A cold start on a machine that also compiles; usually it takes 3 seconds.
const START_LIMIT: Duration = Duration::from_secs(90);

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
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("no free port: {0}")]
    Port(#[source] std::io::Error),
    #[error(transparent)]
    Client(#[from] kubeconfig::Error),
    #[error("the control plane did not come up: {why}\n{logs}")]
    NotReady { why: String, logs: String },
}

/// Where a control plane listens, and what it is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Loopback, or the node's address for the cluster ring.
    pub address: IpAddr,
    /// Also run kube-controller-manager.
    pub controllers: bool,
    /// Where etcd keeps its data; memory is fine.
    pub data: Option<PathBuf>,
}

impl Options {
    /// A control plane without a node.
    pub fn local(controllers: bool) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            controllers,
            data: None,
        }
    }

    fn has_node(&self) -> bool {
        !self.address.is_loopback()
    }
}

/// A running control plane; dropping it kills its processes.
pub struct ControlPlane {
    pub authority: Authority,
    kubeconfig: PathBuf,
    audit_log: PathBuf,
    server: SocketAddr,
    // Dropped in this order: the clients of a component before it.
    controller_manager: Option<Process>,
    api_server: Process,
    etcd: Process,
}

impl ControlPlane {
    /// Starts everything and returns when the API server is ready.
    pub async fn start(run: &RunDir, options: &Options) -> Result<Self, Error> {
        let pki = run.sub("pki")?;
        let logs = run.sub("logs")?;
        let authority = Authority::create(&pki)?;
        let ports = ports::choose()?;
        let data = match &options.data {
            Some(path) => path.clone(),
            None => run.sub("etcd")?,
        };
        let etcd = Process::start(etcd::spec(&data, &ports, &logs)?)?;

        let server = SocketAddr::new(options.address, ports.api_server);
        let audit_log = logs.join("audit.json");
        let tokens = authority.service_account()?;
        let api_server = Process::start(api_server::spec(&api_server::Settings {
            authority: &authority,
            tokens: &tokens,
            server,
            has_node: options.has_node(),
            etcd_port: ports.etcd,
            audit_log: &audit_log,
            directory: run.path(),
            logs: &logs,
        })?)?;

        let admin = authority.client("admin", "admin", "system:masters")?;
        let kubeconfig = run.path().join("admin.kubeconfig");
        kubeconfig::write(&kubeconfig, server, &authority.certificate(), &admin)?;
        wait_until_ready(&kubeconfig, &[&etcd, &api_server], &logs).await?;

        let controller_manager = match options.controllers {
            true => Some(Process::start(controller_manager::spec(
                &kubeconfig,
                &tokens.signing,
                &authority.certificate(),
                &logs,
            )?)?),
            false => None,
        };
        Ok(Self {
            authority,
            kubeconfig,
            audit_log,
            server,
            controller_manager,
            api_server,
            etcd,
        })
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// One JSON object per answered request; see `audit.rs` for a reader and
    /// `api_server.rs` for the policy.
    pub fn audit_log(&self) -> &Path {
        &self.audit_log
    }

    /// For tests that stop or freeze it; such a test must run alone.
    pub fn api_server(&self) -> &Process {
        &self.api_server
    }

    pub fn controller_manager(&self) -> Option<&Process> {
        self.controller_manager.as_ref()
    }

    pub fn etcd(&self) -> &Process {
        &self.etcd
    }
}

async fn wait_until_ready(kubeconfig: &Path, needed: &[&Process], logs: &Path) -> Result<(), Error> {
    let client = kubeconfig::client(kubeconfig).await?;
    let ready = wait::until("the API server to be ready", START_LIMIT, || async {
        // One that ended will not come back: no need to wait out the limit.
        if let Err(gone) = needed.iter().try_for_each(|process| process.check_running()) {
            return Ok(Err(gone));
        }
        kubeconfig::ready(&client).await.map(Ok)
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

fn write(path: PathBuf, content: impl AsRef<[u8]>) -> Result<PathBuf, Error> {
    match std::fs::write(&path, content) {
        Ok(()) => Ok(path),
        Err(source) => Err(Error::Write { path, source }),
    }
}

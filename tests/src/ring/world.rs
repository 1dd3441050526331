//! The components that the tests of one run share.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::Level;
use crate::control_plane::{self, ControlPlane, Options};
use crate::node::{self, Node};
use crate::run_dir::{self, RunDir};
use crate::say;

/// Names the kubeconfig of an existing cluster to run the tests on.
pub const EXISTING: &str = "KEYPOOL_TEST_KUBECONFIG";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    RunDir(#[from] run_dir::Error),
    #[error(transparent)]
    ControlPlane(#[from] control_plane::Error),
    #[error(transparent)]
    Node(#[from] node::Error),
}

/// Started components; or an existing cluster, of which we start nothing.
pub struct World {
    level: Level,
    run: RunDir,
    kubeconfig: PathBuf,
    own: Option<Own>,
    shared: Mutex<BTreeSet<String>>,
}

struct Own {
    // Dropped in this order: the node's components talk to the control plane.
    node: Option<Node>,
    plane: ControlPlane,
}

impl World {
    /// Whether tests run on components of their own.
    pub fn own() -> bool {
        existing().is_none()
    }

    pub async fn start(level: Level) -> Result<Self, Error> {
        let run = RunDir::create(&format!("{level:?}").to_lowercase())?;
        let begun = Instant::now();
        let (kubeconfig, own) = match existing() {
            Some(kubeconfig) => (kubeconfig, None),
            None => {
                let own = Own::start(level, &run).await?;
                (own.plane.kubeconfig().to_owned(), Some(own))
            }
        };
        say::line(format_args!(
            "the {level:?} ring is up after {:.1} s; logs in {}",
            begun.elapsed().as_secs_f32(),
            run.path().display()
        ));
        Ok(Self {
            level,
            run,
            kubeconfig,
            own,
            shared: Mutex::default(),
        })
    }

    pub fn level(&self) -> Level {
        self.level
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The directory of the run; its `logs` are kept when a test fails.
    pub fn run_dir(&self) -> &RunDir {
        &self.run
    }

    /// Says that the tests of this run share what is in a namespace: it is shown
    /// when any of them fails, scanned at the end of each, and stays.
    pub fn share(&self, namespace: &str) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.insert(namespace.to_owned());
    }

    pub(super) fn shared(&self) -> Vec<String> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.iter().cloned().collect()
    }

    pub fn control_plane(&self) -> Option<&ControlPlane> {
        self.own.as_ref().map(|own| &own.plane)
    }

    pub fn node(&self) -> Option<&Node> {
        self.own.as_ref().and_then(|own| own.node.as_ref())
    }

    /// Removes what the run wrote if all went well; else says where it is.
    pub fn close(&self, passed: bool) {
        if let Some(own) = &self.own {
            own.stop();
        }
        if passed {
            self.run.remove();
        } else {
            say::line(format_args!(
                "component logs are kept in {}",
                self.run.path().join("logs").display()
            ));
        }
    }
}

impl Own {
    async fn start(level: Level, run: &RunDir) -> Result<Self, Error> {
        if level < Level::Cluster {
            let plane = ControlPlane::start(run, &Options::local(level >= Level::Controllers)).await?;
            return Ok(Self { node: None, plane });
        }
        let prepared = node::prepare(run)?;
        let options = Options {
            address: node::Prepared::address(),
            controllers: true,
            data: Some(prepared.etcd_data()),
        };
        let plane = ControlPlane::start(run, &options).await?;
        let node = Node::start(run, prepared, &plane).await?;
        Ok(Self {
            node: Some(node),
            plane,
        })
    }

    fn stop(&self) {
        if let Some(manager) = self.plane.controller_manager() {
            manager.kill();
        }
        self.plane.api_server().kill();
        self.plane.etcd().kill();
    }
}

fn existing() -> Option<PathBuf> {
    std::env::var_os(EXISTING)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

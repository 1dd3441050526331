//! helm as a user runs it, with its own files in the run's directory.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::kubectl::{Error, Output, run, succeeded};
use crate::tools;

#[derive(Clone, Debug)]
pub struct Helm {
    program: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
    namespace: String,
}

impl Helm {
    /// `home` is where helm keeps its caches, instead of the user's.
    pub fn new(kubeconfig: &Path, namespace: &str, home: &Path) -> Result<Self, Error> {
        Ok(Self {
            program: tools::HELM.path()?,
            kubeconfig: kubeconfig.to_owned(),
            home: home.to_owned(),
            namespace: namespace.to_owned(),
        })
    }

    /// Runs it; any end but success is an error that holds what was printed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        self.try_run(arguments)
            .await
            .and_then(|output| succeeded(output, "helm", arguments))
    }

    /// `helm upgrade --install` of a chart of this repository, and waits.
    pub async fn install(&self, release: &str, chart: &str, settings: &[&str]) -> Result<String, Error> {
        let chart = tools::repository()
            .join("charts")
            .join(chart)
            .display()
            .to_string();
        let mut arguments = vec![
            "upgrade",
            "--install",
            release,
            &chart,
            "--create-namespace",
            "--wait",
            "--timeout",
            "120s",
        ];
        for setting in settings {
            arguments.extend(["--set", setting]);
        }
        self.run(&arguments).await
    }

    pub async fn try_run(&self, arguments: &[&str]) -> Result<Output, Error> {
        let mut command = Command::new(&self.program);
        command.arg("--namespace").arg(&self.namespace).args(arguments);
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, &self.home);
        }
        run(command, &self.kubeconfig, "").await
    }
}

//! kubectl and any other program a user runs against the cluster.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::tools;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Tool(#[from] tools::Error),
    #[error("cannot run `{command}`: {source}")]
    Start { command: String, source: std::io::Error },
    #[error("`{command}` failed ({status}): {}", .output.trim())]
    Failed {
        command: String,
        status: ExitStatus,
        output: String,
    },
}

/// What a program printed and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// kubectl as the administrator, in one namespace.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
}

impl Kubectl {
    pub fn new(kubeconfig: &Path, namespace: &str) -> Result<Self, Error> {
        let program = tools::KUBECTL.path()?;
        Ok(Self {
            program,
            kubeconfig: kubeconfig.to_owned(),
            namespace: namespace.to_owned(),
        })
    }

    /// Runs it; any end but success is an error that holds what was printed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        self.try_run(arguments, "")
            .await
            .and_then(|output| succeeded(output, "kubectl", arguments))
    }

    /// `kubectl apply --server-side` of manifests given as text.
    pub async fn apply(&self, manifests: &str) -> Result<String, Error> {
        let arguments = ["apply", "--server-side", "--filename", "-"];
        self.try_run(&arguments, manifests)
            .await
            .and_then(|output| succeeded(output, "kubectl", &arguments))
    }

    /// Runs it with `input`; for tests of refusals.
    pub async fn try_run(&self, arguments: &[&str], input: &str) -> Result<Output, Error> {
        let mut command = Command::new(&self.program);
        command.arg("--namespace").arg(&self.namespace).args(arguments);
        run(command, &self.kubeconfig, input).await
    }
}

/// Runs a program with the cluster's kubeconfig.
pub(crate) async fn run(mut command: Command, kubeconfig: &Path, input: &str) -> Result<Output, Error> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let failed = |source| Error::Start {
        command: program.clone(),
        source,
    };
    command.env("KUBECONFIG", kubeconfig).kill_on_drop(true);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let mut stdin = child.stdin.take();
    // A program that does not read its input closes it: its own end tells why.
    let feed = async {
        if let Some(stdin) = stdin.as_mut() {
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        drop(stdin);
    };
    let ((), output) = futures::join!(feed, child.wait_with_output());
    let output = output.map_err(failed)?;
    Ok(Output {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

pub(crate) fn succeeded(output: Output, program: &str, arguments: &[&str]) -> Result<String, Error> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let command = format!("{program} {}", arguments.join(" "));
    Err(Error::Failed {
        command,
        status: output.status,
        output: output.stderr + &output.stdout,
    })
}

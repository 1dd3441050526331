//! The Python environment with the pinned SDKs.
//!
//! In the cluster ring a program that the test runs is on the node's network,
//! so Services and cluster names work for it as they do in a pod. [`pod`] makes
//! a real pod of it: the shell image with the machine's file system mounted
//! read-only, where the interpreter is; an image with a Python of its own would
//! take longer to build than the whole ring.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::{images, tools};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Tool(#[from] tools::Error),
    #[error("{}: no Python environment for tests/tools/requirements.txt: run `make tools`", .0.display())]
    NotBuilt(PathBuf),
    #[error("cannot run {}: {source}", program.display())]
    Start {
        program: PathBuf,
        source: std::io::Error,
    },
    #[error("{} failed ({status}): {output}", script.display())]
    Failed {
        script: PathBuf,
        status: std::process::ExitStatus,
        output: String,
    },
}

/// The environment's interpreter. `tests/tools/setup` names an environment
/// after the digest of what was required when it was made.
pub fn interpreter() -> Result<PathBuf, Error> {
    let digest = Sha256::digest(include_bytes!("../tools/requirements.txt"));
    let name: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let path = tools::cache()?.join(format!("python-{name}/bin/python3"));
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::NotBuilt(path))
    }
}

/// A command that runs `script`; variables of the caller's that would change
/// what an SDK does are taken away.
pub fn command(script: &Path) -> Result<Command, Error> {
    let mut command = Command::new(interpreter()?);
    command
        .arg("-u")
        .arg(script)
        .kill_on_drop(true)
        .stdin(Stdio::null());
    for name in [
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
    ] {
        command.env_remove(name);
    }
    Ok(command)
}

/// Runs `script` to its end and gives its standard output.
pub async fn run(script: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<String, Error> {
    let mut command = command(script)?;
    command.args(arguments).envs(environment.iter().copied());
    let output = command.output().await.map_err(|source| Error::Start {
        program: script.to_owned(),
        source,
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(Error::Failed {
            script: script.to_owned(),
            status: output.status,
            output: text(&output.stderr) + &text(&output.stdout),
        }),
    }
}

/// A pod that runs `program` (Python source) once, with the SDKs; its log is
/// what the program prints. Needs the image `Image::shell()`. Names of other
/// namespaces are written `service.namespace`.
pub fn pod(name: &str, program: &str, environment: &[(&str, &str)]) -> Result<String, Error> {
    let interpreter = interpreter()?;
    let mut variables: Vec<_> = environment
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    variables.push(json!({"name": "PROGRAM", "value": program}));
    let run = format!(
        "exec chroot /machine {} -u -c \"$PROGRAM\"",
        interpreter.display()
    );
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "python",
                "image": images::SHELL,
                "imagePullPolicy": "IfNotPresent",
                "args": [run],
                "env": variables,
                "volumeMounts": [{"name": "machine", "mountPath": "/machine", "readOnly": true}],
            }],
            "volumes": [{"name": "machine", "hostPath": {"path": "/"}}],
        },
    })
    .to_string())
}

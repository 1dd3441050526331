//! The program starts itself again in namespaces of its own.
//!
//! Entering them from inside a running program is no way: its threads would
//! stay outside. Their first process is `catatonit`, which reaps what shims
//! leave behind; the outer program waits, then removes the control groups,
//! the one thing that does not end with the namespaces.

use std::process::{Command, ExitCode};

use super::cgroups;

/// Set inside; its value names the run.
const INSIDE: &str = "KEYPOOL_TEST_INSIDE";

pub fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Names what the run leaves on the machine while it lasts: control groups.
pub(super) fn identity() -> String {
    std::env::var(INSIDE).unwrap_or_else(|_| std::process::id().to_string())
}

/// Runs this program with its own arguments inside and gives its exit code.
pub fn run_self() -> std::io::Result<ExitCode> {
    cgroups::remove_left_over();
    let identity = std::process::id().to_string();
    let mut child = command()
        .arg("catatonit")
        .arg("--")
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, &identity)
        .spawn()?;
    let status = child.wait()?;
    cgroups::remove(&identity);
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// Why namespaces cannot be made here, if they cannot.
pub fn obstacle() -> Option<String> {
    match command().arg("true").output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("setpriv: {error}")),
    }
}

fn command() -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig",
        "KILL",
        "--",
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
    ]);
    command.args([
        "--mount-proc",
        "--propagation",
        "private",
        "--kill-child=KILL",
        "--",
    ]);
    command
}

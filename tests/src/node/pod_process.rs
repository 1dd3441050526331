//! The processes of a pod as the node sees them: to freeze or kill one, and to
//! tell whether it is still the same one.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::Error;

/// A process in a container; the one that holds the namespaces is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodProcess {
    pub pid: u32,
    pub command: String,
    /// In clock ticks since the machine started: the same process has the
    /// same.
    pub started: u64,
}

impl PodProcess {
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        let failed = |how: String| Error::Command {
            command: format!("signal {}", self.command),
            how,
        };
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| failed("no such process".to_owned()))?;
        kill_process(pid, signal).map_err(|error| failed(error.to_string()))
    }
}

/// The processes of the pod with this UID, in order of their numbers.
pub fn of(uid: &str) -> Vec<PodProcess> {
    let group = format!("/pod{uid}/");
    let mut found: Vec<PodProcess> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| read(pid, &group))
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

fn read(pid: u32, group: &str) -> Option<PodProcess> {
    let directory = Path::new("/proc").join(pid.to_string());
    let groups = std::fs::read_to_string(directory.join("cgroup")).ok()?;
    if !groups.contains(group) {
        return None;
    }
    // `pid (command) state ppid …`; the command may hold spaces and brackets.
    let stat = std::fs::read_to_string(directory.join("stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let command = before.split_once('(')?.1.to_owned();
    let started = after.split_whitespace().nth(19)?.parse().ok()?;
    (command != "catatonit").then_some(PodProcess {
        pid,
        command,
        started,
    })
}

//! Component processes: started with a log file, stopped and continued by
//! tests, and gone when the run is gone, even when the run is killed.
//!
//! The kernel's parent-death signal does that. It follows the *thread* that
//! started the child, and the threads of a test runner come and go, so one
//! thread that never ends starts all of them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot write the log of {name} to {}: {source}", path.display())]
    Log {
        name: String,
        path: PathBuf,
        source: io::Error,
    },
    #[error("cannot start {name}: {source}")]
    Start { name: String, source: io::Error },
    #[error("cannot signal {name}: {source}")]
    Signal { name: String, source: rustix::io::Errno },
    #[error("{name} is not running: {how}")]
    Gone { name: String, how: String },
}

/// What to start; kept, so that a stopped component can be started again.
#[derive(Clone, Debug)]
pub struct Spec {
    pub name: String,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub log: PathBuf,
}

impl Spec {
    /// A component that logs to `<name>.log` in `logs`.
    pub fn new(name: &str, program: impl Into<PathBuf>, logs: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            log: logs.join(format!("{name}.log")),
        }
    }

    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub fn args<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    fn command(&self) -> Result<Command, Error> {
        let failed = |source| Error::Log {
            name: self.name.clone(),
            path: self.log.clone(),
            source,
        };
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        Ok(command)
    }
}

/// A started component. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    spec: Spec,
    child: Mutex<Option<Child>>,
}

impl Process {
    pub fn start(spec: Spec) -> Result<Self, Error> {
        let process = Self {
            spec,
            child: Mutex::new(None),
        };
        process.restart()?;
        Ok(process)
    }

    pub fn name(&self) -> &str {
        &self.spec.name
    }

    pub fn log(&self) -> &Path {
        &self.spec.log
    }

    pub fn pid(&self) -> Result<u32, Error> {
        self.with_child(|child| Ok(child.id()))
    }

    /// Says how it ended, if it has.
    pub fn check_running(&self) -> Result<(), Error> {
        self.with_child(|child| match child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.gone(&status.to_string())),
            Err(source) => Err(self.gone(&source.to_string())),
        })
    }

    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.with_child(|child| {
            let pid = Pid::from_child(child);
            kill_process(pid, signal).map_err(|source| Error::Signal {
                name: self.spec.name.clone(),
                source,
            })
        })
    }

    /// Freezes it: connections stay open, nothing answers.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// Kills it and returns when it is gone.
    pub fn kill(&self) {
        if let Some(mut child) = self.lock().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end and gives it `limit`; then kills it.
    pub fn stop(&self, limit: Duration) -> Option<ExitStatus> {
        let _ = self.signal(Signal::TERM);
        let mut child = self.lock().take()?;
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        child.wait().ok()
    }

    /// Starts it again with the same arguments; kills it first if it runs.
    pub fn restart(&self) -> Result<(), Error> {
        self.kill();
        let failed = |source| Error::Start {
            name: self.spec.name.clone(),
            source,
        };
        let child = spawn(self.spec.command()?).map_err(failed)?;
        *self.lock() = Some(child);
        Ok(())
    }

    fn gone(&self, how: &str) -> Error {
        Error::Gone {
            name: self.spec.name.clone(),
            how: how.to_owned(),
        }
    }

    fn with_child<T>(&self, act: impl FnOnce(&mut Child) -> Result<T, Error>) -> Result<T, Error> {
        match self.lock().as_mut() {
            Some(child) => act(child),
            None => Err(self.gone("it was stopped")),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

type Order = (Command, Sender<io::Result<Child>>);

/// Starts `command` from the thread that lives as long as the run.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Sender<Order>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            while let Ok((mut command, answer)) = inbox.recv() {
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let lost = |_| io::Error::other("the starting thread is gone");
    let (answer, outcome) = channel();
    starter
        .send((command, answer))
        .map_err(|_| io::Error::other("the starting thread is gone"))?;
    outcome.recv().map_err(lost)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(logs: &Path) -> Spec {
        Spec::new("sleeper", "sh", logs).args(["-c", "echo up; exec sleep 600"])
    }

    #[test]
    fn a_process_outlives_the_thread_that_asked_for_it() {
        let logs = tempfile::tempdir().unwrap();
        let spec = sleeper(logs.path());
        let process = std::thread::spawn(move || Process::start(spec).unwrap())
            .join()
            .unwrap();
        std::thread::sleep(Duration::from_millis(50));
        process.check_running().unwrap();
        let pid = process.pid().unwrap();
        drop(process);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn a_stopped_process_says_so_and_starts_again() {
        let logs = tempfile::tempdir().unwrap();
        let process = Process::start(sleeper(logs.path())).unwrap();
        process.stop(Duration::from_secs(5));
        assert_eq!(
            process.check_running().unwrap_err().to_string(),
            "sleeper is not running: it was stopped"
        );
        process.restart().unwrap();
        process.check_running().unwrap();
    }
}

//! The binary.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::http::Exchange;
use super::volume::{CLIENT_KEY, Volume};

/// A running process; killed when dropped.
pub(crate) struct Pod {
    child: Child,
    clients: SocketAddr,
    health: SocketAddr,
    pub(crate) exchange: SocketAddr,
    access_log: Option<JoinHandle<String>>,
    log: Option<JoinHandle<String>>,
}

/// What a process left behind.
pub(crate) struct Told {
    pub(crate) status: ExitStatus,
    pub(crate) access_log: String,
    pub(crate) log: String,
}

impl Pod {
    pub(crate) fn start(volume: &Volume) -> Self {
        let any = "127.0.0.1:0";
        // Container runtimes start processes with few open files.
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -Sn 256 && exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_keypool-proxy"))
            .args([
                "--listen",
                any,
                "--health",
                any,
                "--exchange",
                any,
                "--drain-limit",
                "20",
            ])
            .args(["--log", "trace", "--resolve", &volume.resolve()])
            .arg("--config")
            .arg(volume.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let access_log = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut log = String::new();
        let serving = loop {
            let mut line = String::new();
            assert!(
                stderr.read_line(&mut line).unwrap() > 0,
                "it did not start: {log}"
            );
            log.push_str(&line);
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "serving" {
                break line;
            }
        };
        let log = std::thread::spawn(move || {
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let address = |field: &str| serving[field].as_str().unwrap().parse().unwrap();
        Self {
            child,
            clients: address("clients"),
            health: address("health"),
            exchange: address("exchange"),
            access_log: Some(access_log),
            log: Some(log),
        }
    }

    pub(crate) async fn open(&self, body: &str) -> Exchange {
        let head = format!(
            "POST /v1/chat/completions\nauthorization: Bearer {CLIENT_KEY}\ncontent-type: application/json"
        );
        Exchange::open(self.clients, &head, body).await
    }

    pub(crate) async fn chat(&self, body: &str) -> (u16, String) {
        self.open(body).await.answer().await
    }

    pub(crate) async fn health(&self, path: &str) -> (u16, String) {
        Exchange::open(self.health, &format!("GET {path}"), "")
            .await
            .answer()
            .await
    }

    /// How many files it may have open, and how many the system would allow.
    pub(crate) fn open_files(&self) -> [String; 2] {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        let mut words = line.unwrap().split_whitespace().map(str::to_owned);
        std::array::from_fn(|_| words.next().unwrap())
    }

    pub(crate) fn terminate(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    pub(crate) async fn until_not_ready(&self) {
        for _ in 0..200 {
            if self.health("/readyz").await.0 == 503 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("still ready after SIGTERM");
    }

    /// Ends it as Kubernetes does.
    pub(crate) async fn end(self) -> Told {
        self.terminate();
        self.ended().await
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Told {
        for _ in 0..3_000 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Told {
                    status,
                    access_log: self.access_log.take().unwrap().join().unwrap(),
                    log: self.log.take().unwrap().join().unwrap(),
                };
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("still there 30 s after SIGTERM");
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

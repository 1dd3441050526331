//! Requests that go on while something happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::{Caller, Reply};

/// Fifty requests a second: any gap in service of a tenth of a second shows,
/// the fake provider, which keeps all it received, has room for minutes, and
/// the machine, which also has to show things in time, is not worn out.
const PACE: Duration = Duration::from_millis(20);

/// Chat completions one after the other, at most one each [`PACE`], none
/// repeated.
#[derive(Debug)]
pub struct Steady {
    stopped: Arc<AtomicBool>,
    task: JoinHandle<Vec<Result<Reply, reqwest::Error>>>,
}

impl Steady {
    /// Every second one is a stream.
    pub fn start(caller: &Caller) -> Self {
        Self::run(caller.clone(), 2)
    }

    /// None is a stream: little to look through for the canary scan.
    pub fn without_streams(caller: &Caller) -> Self {
        Self::run(caller.clone(), usize::MAX)
    }

    fn run(caller: Caller, streams: usize) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let task = tokio::spawn(async move {
            let mut replies = Vec::new();
            let mut pace = tokio::time::interval(PACE);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !stop.load(Ordering::Relaxed) {
                pace.tick().await;
                let number = replies.len() + 1;
                let streamed = number.is_multiple_of(streams);
                replies.push(caller.ask(&format!("steady {number}"), streamed).await);
            }
            replies
        });
        Self { stopped, task }
    }

    /// Ends after the request under way, and gives all answers in order.
    pub async fn stop(self) -> anyhow::Result<Vec<Result<Reply, reqwest::Error>>> {
        self.stopped.store(true, Ordering::Relaxed);
        Ok(self.task.await?)
    }
}

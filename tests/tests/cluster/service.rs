//! A group's Service as its clients meet it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keypool_tests::product::{Caller, LIMIT, Reply};
use keypool_tests::wait;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// Fifty requests a second: any gap in service of a tenth of a second shows,
/// and the fake provider, which keeps all it received, has room for minutes.
const PACE: Duration = Duration::from_millis(20);

/// Waits until the Service leads to a proxy: the node's rules follow a pod's
/// readiness by a moment, and refuse connections until then.
pub(crate) async fn answering(caller: Caller) -> anyhow::Result<Caller> {
    wait::until("the Service to lead to a proxy", LIMIT, || async {
        match caller.chat("are you there").await {
            Ok(reply) if reply.is_answer() => Ok(()),
            Ok(reply) => Err(reply.text()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    Ok(caller)
}

/// Chat completions in the background, none repeated.
pub(crate) struct Traffic {
    stopped: Arc<AtomicBool>,
    task: JoinHandle<Vec<Result<Reply, reqwest::Error>>>,
}

impl Traffic {
    /// Every `streams`th is a stream; with 0 none is.
    pub(crate) fn start(caller: Caller, streams: usize) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let task = tokio::spawn(async move {
            let mut replies = Vec::new();
            let mut pace = interval(PACE);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !stop.load(Ordering::Relaxed) {
                pace.tick().await;
                let prompt = format!("steady {}", replies.len());
                let number = replies.len() + 1;
                let reply = match streams > 0 && number.is_multiple_of(streams) {
                    true => caller.stream(&prompt).await,
                    false => caller.chat(&prompt).await,
                };
                replies.push(reply);
            }
            replies
        });
        Self { stopped, task }
    }

    /// Ends after the request under way, and gives all answers in order.
    pub(crate) async fn stop(self) -> anyhow::Result<Vec<Result<Reply, reqwest::Error>>> {
        self.stopped.store(true, Ordering::Relaxed);
        Ok(self.task.await?)
    }
}

//! Events go out one after the other, beside the writes: news waits for nobody, and nobody waits for news.

use k8s_openapi::api::core::v1::ObjectReference;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::super::KeyEvent;
use crate::k8s::events::{Events, Severity};

/// Publishes what it is given, in that order, as long as it is there.
pub(super) struct Announcer {
    queue: Queue,
    task: JoinHandle<()>,
}

/// Where Events are left.
pub(super) type Queue = UnboundedSender<(ObjectReference, KeyEvent)>;

impl Announcer {
    pub(super) fn start(events: Events) -> Self {
        let (queue, mut left) = unbounded_channel::<(ObjectReference, KeyEvent)>();
        let task = tokio::spawn(async move {
            while let Some((about, event)) = left.recv().await {
                let severity = if event.warning {
                    Severity::Warning
                } else {
                    Severity::Normal
                };
                events.publish(&about, severity, event.reason, event.note).await;
            }
        });
        Self { queue, task }
    }

    pub(super) fn queue(&self) -> Queue {
        self.queue.clone()
    }
}

impl Drop for Announcer {
    /// Nothing is published once the writer has ended: somebody else may lead.
    fn drop(&mut self) {
        self.task.abort();
    }
}

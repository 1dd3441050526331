//! Events go out one after the other, beside the writes: news waits for nobody, and nobody waits for news.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::super::KeyEvent;
use crate::k8s::events::{Events, Severity};

/// How long the last Events may take: part of the time that all work has to end.
const LAST_WORDS: Duration = Duration::from_secs(3);

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

    /// Publishes what is left, unless that takes too long. Nothing is under way afterwards: the Lease may be left to others.
    pub(super) async fn end(mut self) {
        // With the last sender the queue has an end.
        self.queue = unbounded_channel().0;
        if tokio::time::timeout(LAST_WORDS, &mut self.task).await.is_err() {
            self.task.abort();
            // What was cancelled ends at its next pause, not at once.
            let _ = (&mut self.task).await;
            tracing::warn!("the process ends with Events that were not published");
        }
    }
}

impl Drop for Announcer {
    /// Without an orderly end nothing more is published: somebody else may lead.
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::{Request, Response};
    use kube::Client;
    use kube::client::Body;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::fixtures::api::Led;
    use crate::status::writer::Writer;
    use crate::telemetry::Metrics;

    /// An announcer with two Events in its queue, and how many the API server has taken, each after that time.
    fn with_two(pause: Duration) -> (Announcer, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let service = tower::service_fn(move |request: Request<Body>| {
            let count = Arc::clone(&count);
            async move {
                tokio::time::sleep(pause).await;
                count.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Infallible>(Response::new(request.into_body()))
            }
        });
        let announcer = Announcer::start(Events::new(Client::new(service, "keypool"), "me"));
        for name in ["openai", "vllm"] {
            let about = ObjectReference {
                kind: Some("ModelProvider".into()),
                name: Some(name.into()),
                namespace: Some("team".into()),
                ..ObjectReference::default()
            };
            let event = KeyEvent {
                warning: true,
                reason: "KeyInvalid",
                note: "a note".into(),
            };
            announcer.queue().send((about, event)).unwrap();
        }
        (announcer, taken)
    }

    #[tokio::test(start_paused = true)]
    async fn the_writer_ends_only_when_what_is_left_is_published() {
        let led = Led::new();
        let events = Events::new(led.context.clients.request.clone(), "me");
        let mut writer = Writer::new(Arc::clone(&led.context), events, Metrics::default());
        let (announcer, taken) = with_two(Duration::from_secs(1));
        writer.announcer = announcer;
        let (stop, (_, news)) = (CancellationToken::new(), unbounded_channel());
        stop.cancel();
        writer.run(led.subjects, news, stop).await;
        assert_eq!(taken.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_server_holds_up_the_end_only_for_a_while_and_takes_nothing_after_it() {
        let (announcer, taken) = with_two(Duration::from_secs(2));
        let began = tokio::time::Instant::now();
        announcer.end().await;
        assert_eq!(began.elapsed(), LAST_WORDS);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(taken.load(Ordering::Relaxed), 1);
    }
}

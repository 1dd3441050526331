//! Watches, each with its own backoff.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource, ResourceExt};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;

mod living;
mod unreadable;

use living::Living;
use unreadable::Reading;
pub use unreadable::{Sealed, Unreadable};

/// A silently dead connection is noticed after this many seconds and a little more.
const WATCH_TIMEOUT_SECONDS: u32 = 60;

/// Which watches have kept failing; liveness reads it. A quiet watch is a healthy one: only errors tell.
#[derive(Clone, Default)]
pub struct Watchdog {
    watches: Arc<Mutex<Vec<(&'static str, Run)>>>,
}

/// The run of errors that a watch is in, if it is.
type Run = Arc<Mutex<Option<Failing>>>;

/// A run of errors.
#[derive(Clone, Copy)]
struct Failing {
    first: Instant,
    last: Instant,
}

/// Backoff ends at 30 s and a little jitter: a pause this long means that the watch works again.
const RUN_ENDS_AFTER: Duration = Duration::from_secs(120);

impl Failing {
    fn again(before: Option<Self>, now: Instant) -> Self {
        match before {
            Some(run) if now.duration_since(run.last) < RUN_ENDS_AFTER => Self { last: now, ..run },
            _ => Self {
                first: now,
                last: now,
            },
        }
    }

    fn broken_for(self, limit: Duration, now: Instant) -> bool {
        now.duration_since(self.last) < RUN_ENDS_AFTER && self.last.duration_since(self.first) >= limit
    }
}

impl Watchdog {
    fn register(&self, name: &'static str) -> Run {
        let failing = Arc::default();
        self.watches.lock().push((name, Arc::clone(&failing)));
        failing
    }

    /// The watches that have been broken for longer than `limit`.
    pub fn broken(&self, limit: Duration) -> Vec<&'static str> {
        let now = Instant::now();
        let broken =
            |failing: &Mutex<Option<Failing>>| failing.lock().is_some_and(|run| run.broken_for(limit, now));
        self.watches
            .lock()
            .iter()
            .filter(|(_, failing)| broken(failing))
            .map(|(name, _)| *name)
            .collect()
    }
}

/// What a watch tells. An object's end is told even if it came while the watch heard nothing.
#[derive(Clone, Debug)]
pub enum Change<K> {
    /// There, as it is now.
    Applied(K),
    /// Gone: its UID, namespace, name, last labels and owners.
    Deleted(Box<ObjectMeta>),
}

impl<K: Resource> Change<K> {
    /// Whom it is about.
    pub fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Applied(object) => object.meta(),
            Self::Deleted(meta) => meta,
        }
    }
}

/// Watches and keeps a copy of everything. Objects are trimmed of their managedFields, which nobody here reads. One that this
/// build cannot read (its definition is newer) stays as it was last read, or is at least known by name; it must not stop the others.
pub fn reflect<K>(
    name: &'static str,
    api: Api<DeserializeGuard<K>>,
    config: watcher::Config,
    watchdog: &Watchdog,
) -> (Store<K>, Unreadable, impl Stream<Item = Change<K>> + use<K>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let mut reading = Reading::new(name);
    let (store, unreadable) = (reading.store(), reading.unreadable());
    let stream = watch(api, config.timeout(WATCH_TIMEOUT_SECONDS))
        .default_backoff()
        .modify(|DeserializeGuard(object): &mut DeserializeGuard<K>| {
            if let Ok(object) = object {
                object.managed_fields_mut().clear();
            }
        })
        .filter_map(move |event| std::future::ready(event.map(|event| reading.take_in(event)).transpose()));
    (store, unreadable, heard(name, stream, watchdog.register(name)))
}

/// Watches without a copy.
pub fn follow<K>(
    name: &'static str,
    api: Api<K>,
    config: watcher::Config,
    watchdog: &Watchdog,
) -> impl Stream<Item = Change<K>> + use<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let stream = watch(api, config.timeout(WATCH_TIMEOUT_SECONDS)).default_backoff();
    heard(name, stream, watchdog.register(name))
}

/// Errors end here: they are told to the log and to the watchdog, and the watch goes on by itself.
fn heard<K: Resource>(
    name: &'static str,
    stream: impl Stream<Item = watcher::Result<Event<K>>>,
    failing: Run,
) -> impl Stream<Item = Change<K>> {
    let mut living = Living::default();
    stream.flat_map(move |event| {
        let changes = match event {
            Ok(event) => {
                if proves_health(&event) {
                    *failing.lock() = None;
                }
                living.take_in(event)
            }
            Err(error) => {
                let mut failing = failing.lock();
                *failing = Some(Failing::again(*failing, Instant::now()));
                tracing::warn!(watch = name, %error, "watch interrupted");
                Vec::new()
            }
        };
        futures::stream::iter(changes)
    })
}

/// A list is announced before the server is even asked, and its first pages say nothing of the last one: only a whole list ends a
/// run of failures.
fn proves_health<K>(event: &Event<K>) -> bool {
    match event {
        Event::Init | Event::InitApply(_) => false,
        Event::InitDone | Event::Apply(_) | Event::Delete(_) => true,
    }
}

/// What is heard of a watch that tells these events.
#[cfg(test)]
pub(crate) fn heard_of<K: Resource>(events: Vec<Event<K>>) -> Vec<Change<K>> {
    use futures::FutureExt as _;
    let told = futures::stream::iter(events.into_iter().map(Ok));
    heard("test", told, Run::default())
        .collect()
        .now_or_never()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use keypool_crds::v1alpha1::ModelProvider;

    use super::*;
    use crate::fixtures::{OPENAI, provider};

    #[test]
    fn a_watch_is_broken_only_while_its_errors_go_on() {
        let (start, limit) = (Instant::now(), Duration::from_secs(300));
        let mut run = Failing::again(None, start);
        for seconds in (30..=330).step_by(30) {
            run = Failing::again(Some(run), start + Duration::from_secs(seconds));
        }
        assert!(run.broken_for(limit, start + Duration::from_secs(331)));
        assert!(!run.broken_for(limit, start + Duration::from_secs(331) + RUN_ENDS_AFTER));
        let fresh = Failing::again(Some(run), start + Duration::from_secs(600));
        assert!(!fresh.broken_for(limit, start + Duration::from_secs(601)));
    }

    /// Lists that fail again and again, each after its announcement and perhaps some pages.
    #[test]
    fn a_list_ends_a_run_of_failures_only_when_it_is_whole() {
        let page = || Ok(Event::InitApply(provider("openai", OPENAI)));
        let refused = || Err(watcher::Error::NoResourceVersion);
        let attempts = vec![Ok(Event::Init), refused(), Ok(Event::Init), page(), refused()];
        let after = |told: Vec<watcher::Result<Event<ModelProvider>>>| {
            let run = Run::default();
            let heard = heard("test", futures::stream::iter(told), Arc::clone(&run));
            heard.collect::<Vec<_>>().now_or_never().unwrap();
            *run.lock()
        };
        let run = after(attempts.into_iter().chain([Ok(Event::Init), page()]).collect()).unwrap();
        assert!(run.first < run.last, "one run");
        assert!(after(vec![refused(), Ok(Event::Init), page(), Ok(Event::InitDone)]).is_none());
        assert!(after(vec![refused(), Ok(Event::Delete(provider("openai", OPENAI)))]).is_none());
    }
}

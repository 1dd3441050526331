//! An independent witness: a plain watch that keeps every version of every
//! object it sees with the time it arrived.
//!
//! It is not built on the store and the retries of a controller: what such a
//! store hides (versions in between, a version seen twice) is what tests ask
//! for. A broken watch is part of the record.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures::{StreamExt as _, TryStreamExt as _};
use kube::Api;
use kube::api::{DynamicObject, ListParams, WatchEvent, WatchParams};
use tokio::task::JoinHandle;

use crate::wait::{self, TimedOut};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was there when the watch began, or began anew.
    Present,
    Added,
    Modified,
    Deleted,
}

/// One version of one object.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub time: SystemTime,
    pub change: Change,
    pub object: DynamicObject,
}

impl Seen {
    pub fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    /// A part of the object by JSON pointer, such as `/status/keys/0/state`.
    pub fn at_path(&self, pointer: &str) -> Option<&serde_json::Value> {
        self.object.data.pointer(pointer)
    }
}

/// Watches from its creation until it is dropped.
pub struct Watcher {
    record: Arc<Mutex<Record>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Record {
    seen: Vec<Seen>,
    broken: Vec<String>,
}

impl Watcher {
    /// Lists and goes on watching from exactly there; what changes after this
    /// returns is seen.
    pub async fn start(api: Api<DynamicObject>) -> Result<Self, kube::Error> {
        let record = Arc::new(Mutex::new(Record::default()));
        let version = list(&api, &record).await?;
        let task = tokio::spawn(follow(api, version, Arc::clone(&record)));
        Ok(Self { record, task })
    }

    /// Everything seen so far, in order of arrival.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.record).seen.clone()
    }

    /// The versions of one object.
    pub fn versions(&self, name: &str) -> Vec<Seen> {
        self.seen()
            .into_iter()
            .filter(|seen| seen.name() == name)
            .collect()
    }

    /// Breaks of the watch; a test that counts versions asserts there are none.
    pub fn broken(&self) -> Vec<String> {
        lock(&self.record).broken.clone()
    }

    /// Waits for a version, past or future, for which `condition` holds.
    pub async fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        condition: impl Fn(&Seen) -> bool,
    ) -> Result<Seen, TimedOut> {
        wait::until(what, limit, || {
            let seen = self.seen();
            let last = || {
                seen.last()
                    .map(|seen| (seen.change, seen.name().to_owned(), seen.object.data.clone()))
            };
            let found = seen.iter().find(|seen| condition(seen)).cloned();
            std::future::ready(found.ok_or_else(last))
        })
        .await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Records what there is, and gives the version to go on from.
async fn list(api: &Api<DynamicObject>, record: &Mutex<Record>) -> Result<String, kube::Error> {
    let list = api.list(&ListParams::default()).await?;
    for object in list.items {
        keep(record, Change::Present, object);
    }
    Ok(list.metadata.resource_version.unwrap_or_default())
}

async fn follow(api: Api<DynamicObject>, mut version: String, record: Arc<Mutex<Record>>) {
    loop {
        let end = match api.watch(&WatchParams::default().timeout(290), &version).await {
            Ok(stream) => read(stream.boxed(), &mut version, &record).await,
            Err(error) => Err(error),
        };
        let Err(error) = end else { continue };
        let expired = matches!(&error, kube::Error::Api(status) if status.code == 410);
        lock(&record).broken.push(error.to_string());
        tokio::time::sleep(Duration::from_millis(100)).await;
        // An API server that was away has forgotten the version; from it nothing would ever be seen again.
        if expired && let Ok(listed) = list(&api, &record).await {
            version = listed;
        }
    }
}

/// Follows one stream; a server that ends it in time says nothing wrong.
async fn read(
    mut stream: futures::stream::BoxStream<'_, kube::Result<WatchEvent<DynamicObject>>>,
    version: &mut String,
    record: &Arc<Mutex<Record>>,
) -> Result<(), kube::Error> {
    loop {
        let (change, object) = match stream.try_next().await? {
            Some(WatchEvent::Added(object)) => (Change::Added, object),
            Some(WatchEvent::Modified(object)) => (Change::Modified, object),
            Some(WatchEvent::Deleted(object)) => (Change::Deleted, object),
            Some(WatchEvent::Bookmark(bookmark)) => {
                *version = bookmark.metadata.resource_version;
                continue;
            }
            Some(WatchEvent::Error(status)) => return Err(kube::Error::Api(status)),
            None => return Ok(()),
        };
        if let Some(seen) = &object.metadata.resource_version {
            version.clone_from(seen);
        }
        keep(record, change, object);
    }
}

fn keep(record: &Mutex<Record>, change: Change, object: DynamicObject) {
    lock(record).seen.push(Seen {
        at: Instant::now(),
        time: SystemTime::now(),
        change,
        object,
    });
}

fn lock(record: &Mutex<Record>) -> std::sync::MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

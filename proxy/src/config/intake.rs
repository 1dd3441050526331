//! One document after another: take it over, or say why not.

use std::sync::Arc;
use std::time::SystemTime;

use keypool_contract::exchange::Acknowledgement;
use keypool_contract::{ConfigError, ConfigErrorCode, Document, Encoded};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::pool::Pool;
use crate::runtime::{Runtime, Snapshot, SnapshotId};
use crate::telemetry::Metrics;

/// How a document came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// With the mounted Secret, or from the process that the proxy runs in.
    Mounted,
    /// From the leader.
    Exchange,
}

/// What became of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It runs.
    Taken,
    /// It ran already.
    Same,
    /// A higher generation of its lineage runs.
    Older,
    /// It cannot be used; the one before still runs.
    Refused(ConfigError),
}

/// The only way for a document into the process.
pub struct Intake {
    runtime: Arc<Runtime>,
    pool: Arc<Pool>,
    metrics: Arc<Metrics>,
    /// Why offers do not run, the newest last. Held while a document is taken over, so that offers are decided one after the other.
    refused: Mutex<Vec<(Origin, ConfigError)>>,
    acknowledgement: watch::Sender<Acknowledgement>,
}

impl Intake {
    /// Nothing runs yet.
    pub fn new(runtime: Arc<Runtime>, pool: Arc<Pool>, metrics: Arc<Metrics>) -> Self {
        Self {
            runtime,
            pool,
            metrics,
            refused: Mutex::default(),
            acknowledgement: watch::Sender::new(Acknowledgement::default()),
        }
    }

    /// What runs, and why the newest offer does not.
    pub fn acknowledgement(&self) -> watch::Receiver<Acknowledgement> {
        self.acknowledgement.subscribe()
    }

    /// Decides on a document. Blocks for as long as it takes to compile (milliseconds for a large one).
    pub fn offer(&self, origin: Origin, encoded: &Encoded) -> Decision {
        let mut refused = self.refused.lock();
        let running = self.runtime.current();
        let decision = self.decide(origin, encoded, running.as_deref());
        match &decision {
            Decision::Taken => tracing::info!(
                ?origin,
                generation = self.generation(),
                "configuration taken over"
            ),
            Decision::Same => {}
            Decision::Older => tracing::info!(?origin, "an older configuration was offered and is not used"),
            Decision::Refused(error) => {
                tracing::error!(?origin, code = ?error.code, path = error.path, "configuration refused, the last good one stays");
            }
        }
        self.tell(&mut refused, origin, &decision);
        decision
    }

    /// A mounted document that is not even bytes: the file is missing or cannot be read.
    pub(super) fn unreadable(&self, kind: std::io::ErrorKind) {
        let mut refused = self.refused.lock();
        tracing::error!(%kind, "the mounted configuration cannot be read, the last good one stays");
        let error = ConfigError::new(ConfigErrorCode::Unreadable, "");
        self.tell(&mut refused, Origin::Mounted, &Decision::Refused(error));
    }

    fn decide(&self, origin: Origin, encoded: &Encoded, running: Option<&Snapshot>) -> Decision {
        if running.is_some_and(|running| running.id.hash == *encoded.hash()) {
            return Decision::Same;
        }
        let taken = encoded
            .read()
            .and_then(|document| match running.map(|running| &running.id) {
                Some(running) => match order(origin, &document, running)? {
                    Order::Newer => self.take(encoded, &document),
                    Order::Older => Ok(Decision::Older),
                },
                None => self.take(encoded, &document),
            });
        taken.unwrap_or_else(Decision::Refused)
    }

    fn take(&self, encoded: &Encoded, document: &Document) -> Result<Decision, ConfigError> {
        let before = self.runtime.current();
        let id = SnapshotId::of(document, encoded);
        let snapshot = Arc::new(Snapshot::compile(id, document, before.as_deref(), &self.metrics)?);
        self.pool.update(&snapshot)?;
        self.runtime.replace(snapshot.clone());
        if let Some(before) = before {
            self.metrics.retire(&before, &snapshot);
        }
        Ok(Decision::Taken)
    }

    fn generation(&self) -> u64 {
        self.runtime
            .current()
            .map_or(0, |snapshot| snapshot.id.generation)
    }

    /// One origin's word does not take back what the other's newer document met: a volume that comes late offers once more what
    /// runs, while the leader's next document stays refused.
    fn tell(&self, refused: &mut Vec<(Origin, ConfigError)>, origin: Origin, decision: &Decision) {
        match decision {
            Decision::Taken => refused.clear(),
            Decision::Same => refused.retain(|(of, _)| *of != origin),
            // It does not mend the newer document; but the reading of it has succeeded, and a volume that lags offers nothing else.
            Decision::Older => {
                refused.retain(|(of, error)| *of != origin || error.code != ConfigErrorCode::Unreadable);
            }
            Decision::Refused(error) => {
                refused.retain(|(of, _)| *of != origin);
                refused.push((origin, error.clone()));
            }
        }
        let last_error = refused.last().map(|(_, error)| error.clone());
        self.metrics
            .config_successful
            .set(i64::from(last_error.is_none()));
        if *decision == Decision::Taken {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            self.metrics
                .config_timestamp
                .set(now.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0)));
            self.metrics
                .config_generation
                .set(i64::try_from(self.generation()).unwrap_or(i64::MAX));
        }
        let next = match self.runtime.current() {
            Some(snapshot) => Acknowledgement {
                lineage: snapshot.id.lineage.to_string(),
                generation: snapshot.id.generation,
                hash: Some(snapshot.id.hash.clone()),
                last_error,
            },
            None => Acknowledgement {
                last_error,
                ..Acknowledgement::default()
            },
        };
        self.acknowledgement.send_if_modified(|told| {
            let changed = *told != next;
            *told = next;
            changed
        });
    }
}

enum Order {
    Newer,
    Older,
}

/// Where a document stands to the running one, which has another hash.
fn order(origin: Origin, document: &Document, running: &SnapshotId) -> Result<Order, ConfigError> {
    let stamp = &document.stamp;
    let same_lineage = *stamp.lineage == *running.lineage;
    match (origin, same_lineage) {
        (Origin::Mounted, false) => Ok(Order::Newer),
        (Origin::Exchange, false) => Err(ConfigError::new(ConfigErrorCode::OtherLineage, "/lineage")),
        (_, true) if stamp.generation > running.generation => Ok(Order::Newer),
        // One generation with two contents comes from a restored backup. The leader, which is alive, says which holds.
        (Origin::Exchange, true) if stamp.generation == running.generation => Ok(Order::Newer),
        (_, true) => Ok(Order::Older),
    }
}

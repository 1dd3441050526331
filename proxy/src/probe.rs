//! Validation calls: free, never a completion.
//!
//! Two reasons for a call. The pool *wants a confirmation*: a key was refused, or is out and its time to be tried again has
//! come. And *first validation*: a key that no success and no probe has proven yet is asked about soon after it appears and
//! again every interval while that proves nothing, by the pod that the leader names ([`Naming`]; it says too what holds without one).
//! A key that is proven is never probed: traffic tells more. For one key there is one call at a time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use keypool_balance::ProbeVerdict;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

use crate::pool::{Confirmation, Pool};
use crate::upstream::Client;

mod call;
mod naming;
mod schedule;

pub use naming::{Naming, Turn};
pub use schedule::{Schedule, Unproven};

/// Calls at the same time, over all providers: validation is patient.
const AT_ONCE: usize = 4;

/// Why there is a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reason {
    FirstValidation,
    Confirmation,
}

/// Makes validation calls for as long as the process lives.
pub struct Prober {
    pool: Arc<Pool>,
    client: Client,
    permits: Arc<Semaphore>,
    running: Mutex<HashMap<Confirmation, Reason>>,
    schedule: Mutex<Schedule>,
    /// A call failed: its key is due earlier than the run knows.
    sooner: Notify,
}

impl Prober {
    /// A prober; nothing is called before [`Self::run`].
    pub fn new(pool: Arc<Pool>, client: Client) -> Arc<Self> {
        Arc::new(Self {
            pool,
            client,
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            running: Mutex::default(),
            schedule: Mutex::default(),
            sooner: Notify::new(),
        })
    }

    /// Follows what the pool wants and what the schedule says.
    pub async fn run(self: Arc<Self>) {
        let mut changes = self.pool.changes();
        loop {
            changes.borrow_and_update();
            let unproven = self.pool.unproven();
            let now = self.pool.now();
            let (due, next) = self
                .schedule
                .lock()
                .due(unproven, &self.pool.naming(), now, rand::random);
            for wanted in due {
                self.spawn(wanted, Reason::FirstValidation);
            }
            tokio::select! {
                wanted = self.pool.confirmation() => self.spawn(wanted, Reason::Confirmation),
                () = tokio::time::sleep(next) => {}
                () = self.sooner.notified() => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Begins a call, unless one for this key is under way.
    fn spawn(self: &Arc<Self>, wanted: Confirmation, reason: Reason) {
        match self.running.lock().entry(wanted.clone()) {
            Entry::Occupied(mut known) => {
                if reason == Reason::Confirmation {
                    known.insert(reason);
                }
                return;
            }
            Entry::Vacant(place) => place.insert(reason),
        };
        let prober = self.clone();
        tokio::spawn(async move {
            if let Ok(_permit) = prober.permits.acquire().await
                && prober.begins(&wanted)
            {
                prober.ask(&wanted).await;
                prober.running.lock().remove(&wanted);
            }
        });
    }

    /// Whether a call that has waited for its turn is still to be made. One that is not makes room for the next at once.
    fn begins(&self, wanted: &Confirmation) -> bool {
        let mut running = self.running.lock();
        let first = running.get(wanted) == Some(&Reason::FirstValidation);
        let begins = !first
            || self
                .schedule
                .lock()
                .begins(wanted, &self.pool.naming(), self.pool.now());
        if !begins {
            running.remove(wanted);
        }
        begins
    }

    async fn ask(&self, wanted: &Confirmation) {
        // Only now: what is learned meanwhile must count as known when the call is sent.
        let Some(probe) = self.pool.start_probe(wanted) else {
            return;
        };
        let verdict = call::ask(&self.client, &probe.provider, probe.credential()).await;
        tracing::debug!(
            provider = &*probe.provider.name,
            credential = &*probe.credential().name,
            ?verdict,
            "validation call"
        );
        self.pool.confirm(&probe, verdict);
        let answered = !matches!(verdict, ProbeVerdict::Failed | ProbeVerdict::Unreachable(_));
        self.schedule
            .lock()
            .ended(wanted, answered, self.pool.now(), rand::random());
        if !answered {
            self.sooner.notify_one();
        }
    }
}

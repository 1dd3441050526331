//! Validation calls: free, never a completion.
//!
//! Two reasons for a call. The pool *wants a confirmation*: a key was refused, or is out and its time to be tried again has
//! come. And *first validation*: a key that no success and no probe has proven yet is asked about soon after it appears and
//! again every interval while that proves nothing, by the pod that the leader names ([`Naming`]; it says too what holds without one).
//! A key that is proven is never probed: traffic tells more. For one key there is one call at a time.

use std::sync::Arc;

use keypool_balance::ProbeVerdict;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::pool::{Confirmation, Pool};
use crate::upstream::Client;

mod call;
mod naming;
mod schedule;
mod turns;

pub use naming::{Naming, Turn};
pub use schedule::{Schedule, Unproven};
use turns::{Reason, Turns};

/// Makes validation calls for as long as the process lives.
pub struct Prober {
    pool: Arc<Pool>,
    client: Client,
    turns: Mutex<Turns>,
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
            turns: Mutex::default(),
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
                self.want(wanted, Reason::FirstValidation);
            }
            tokio::select! {
                wanted = self.pool.confirmation() => self.want(wanted, Reason::Confirmation),
                () = tokio::time::sleep(next) => {}
                () = self.sooner.notified() => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Lets a call wait for its turn, which may be now.
    fn want(self: &Arc<Self>, wanted: Confirmation, reason: Reason) {
        let provider = wanted.provider.clone();
        self.turns.lock().want(wanted, reason);
        self.go_on(&provider);
    }

    /// Begins the calls to a provider whose turn it is.
    fn go_on(self: &Arc<Self>, provider: &str) {
        loop {
            let turn = self.turns.lock().begin(provider);
            let Some((wanted, reason)) = turn else { return };
            if !self.begins(&wanted, reason) {
                self.turns.lock().end(&wanted);
                continue;
            }
            let prober = self.clone();
            tokio::spawn(async move {
                prober.ask(&wanted).await;
                prober.turns.lock().end(&wanted);
                prober.go_on(&wanted.provider);
            });
        }
    }

    /// Whether a call that has waited for its turn is still to be made.
    fn begins(&self, wanted: &Confirmation, reason: Reason) -> bool {
        reason == Reason::Confirmation
            || self
                .schedule
                .lock()
                .begins(wanted, &self.pool.naming(), self.pool.now())
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

//! The exchange with the leader, without its transport.
//!
//! One request after another, each held until there is something to tell. A request of a lower term than one seen before
//! comes from a leader that no longer is one. A reader that is not the one answered last gets everything that holds; the
//! known one gets what is after its `confirmed`, again and again until it confirms it.

use std::sync::Arc;
use std::time::Duration;

use keypool_contract::Encoded;
use keypool_contract::exchange::{Acknowledgement, ExchangeRequest, ExchangeResponse, StaleTerm};
use keypool_contract::limits::MAX_POLL_MS;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::{Intake, Origin};
use crate::pool::{Learned, Pool};

/// The pod's side of the exchange.
pub struct Exchange {
    pool: Arc<Pool>,
    intake: Arc<Intake>,
    last: Mutex<Last>,
}

/// What the exchange remembers between two requests.
#[derive(Default)]
struct Last {
    /// The highest term seen.
    term: u64,
    /// Who was answered last.
    reader: Option<String>,
}

impl Exchange {
    /// Nobody has asked yet.
    pub fn new(pool: Arc<Pool>, intake: Arc<Intake>) -> Self {
        Self {
            pool,
            intake,
            last: Mutex::default(),
        }
    }

    /// Takes in what the leader sends, and answers when there is something to tell or the poll is over.
    ///
    /// # Errors
    /// The request's term is lower than one seen before.
    pub async fn answer(&self, mut request: ExchangeRequest) -> Result<ExchangeResponse, StaleTerm> {
        let known = self.recognise(&request)?;
        let deadline = Instant::now() + Duration::from_millis(request.wait_ms.min(MAX_POLL_MS));
        // What a document became is an answer of its own, even when it changed nothing.
        let document = request.document.take();
        let at_once = document.is_some();
        self.take_in(document, &request).await;

        let confirmed = known.then_some(request.confirmed);
        let mut acknowledgement = self.intake.acknowledgement();
        let mut changes = self.pool.changes();
        loop {
            changes.borrow_and_update();
            let now_runs = acknowledgement.borrow_and_update().clone();
            let learned = self.pool.learned_since(confirmed);
            let news = !known
                || learned.snapshot
                || !learned.verdicts.is_empty()
                || now_runs != request.acknowledged;
            if news || at_once || Instant::now() >= deadline {
                return self.respond(&request, now_runs, learned);
            }
            tokio::select! {
                _ = changes.changed() => {}
                _ = acknowledgement.changed() => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }

    /// Checks the term, and whether the reader is the one answered last.
    fn recognise(&self, request: &ExchangeRequest) -> Result<bool, StaleTerm> {
        let mut last = self.last.lock();
        if request.term < last.term {
            return Err(StaleTerm { term: last.term });
        }
        last.term = request.term;
        Ok(last.reader.as_ref() == Some(&request.reader) && request.instance == **self.pool.instance())
    }

    async fn take_in(&self, document: Option<Encoded>, request: &ExchangeRequest) {
        if let Some(document) = document {
            let intake = self.intake.clone();
            // The only failure is a panic, which its own message tells; the acknowledgement stays what it was.
            let _ = tokio::task::spawn_blocking(move || intake.offer(Origin::Exchange, &document)).await;
        }
        self.pool.hear_leader();
        // Before the advisories, which let a new pod begin to ask.
        if let Some(named) = &request.first_validations {
            self.pool.name_first_validations(named);
        }
        if let Some(advisories) = &request.advisories {
            self.pool.advise(advisories);
        }
        for wish in &request.clear_cooldowns {
            self.pool.clear(wish);
        }
    }

    fn respond(
        &self,
        request: &ExchangeRequest,
        acknowledgement: Acknowledgement,
        learned: Learned,
    ) -> Result<ExchangeResponse, StaleTerm> {
        let mut last = self.last.lock();
        // Another leader may have come while this poll was held.
        if request.term < last.term {
            return Err(StaleTerm { term: last.term });
        }
        last.reader = Some(request.reader.clone());
        Ok(ExchangeResponse {
            instance: self.pool.instance().to_string(),
            acknowledgement,
            snapshot: learned.snapshot,
            verdicts: learned.verdicts,
            sequence: learned.sequence,
        })
    }
}

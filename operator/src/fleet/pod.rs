//! The exchange with one pod: one loop, one order.
//!
//! The pod holds each request until it has something to tell. A new document, advisory or name ends the held request: it is dropped, and the next
//! one carries what is new. What a dropped answer may have held is told again, because only `confirmed` lets the pod forget. A request that
//! carries something is answered at once and never dropped: nobody would know whether the pod took it in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keypool_contract::document::DocumentHash;
use keypool_contract::exchange::{Acknowledgement, ClearCooldown, ExchangeRequest, ExchangeResponse};
use keypool_contract::limits::{EXCHANGE_PORT, MAX_POLL_MS};
use tokio::sync::watch;

use super::client::{ExchangeClient, ExchangeError};
use super::desired::Desired;
use super::knowledge::{Briefing, Knowledge};
use crate::install::ObjectId;
use crate::k8s::lease::Term;
use crate::ledger::DocumentScope;

/// Where one pod is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PodAddress {
    /// UID of the pod.
    pub uid: String,
    /// Its name, for logs.
    pub name: String,
    /// Its address.
    pub ip: IpAddr,
}

/// Who asks.
#[derive(Clone)]
pub struct Leader {
    /// Identity in the Lease.
    pub identity: String,
    /// The Lease's term, which has to rise when a pod has seen a later one.
    pub term: Term,
}

/// A document that a pod refused is offered again after this long, or when there is another one.
const OFFER_AGAIN: Duration = Duration::from_secs(30);
/// Pauses after a failure, doubling.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What we know that the pod knows.
#[derive(Default)]
struct Told {
    instance: String,
    acknowledged: Acknowledgement,
    offered: Option<(DocumentHash, tokio::time::Instant)>,
    briefing: Option<Briefing>,
    clears: Vec<ClearCooldown>,
    /// What it ran when it last told everything.
    covered: DocumentScope,
    /// It is to tell everything: it runs values that it did not run then, and has forgotten what it knew of them at an earlier time.
    lacks: bool,
}

/// The exchange with one pod, until it is dropped.
pub struct PodExchange {
    /// The pod.
    pub pod: PodAddress,
    /// The group that its fleet serves.
    pub group: ObjectId,
    /// Who asks.
    pub leader: Leader,
    /// Where answers go.
    pub knowledge: Arc<Knowledge>,
    /// What the pod should run.
    pub desired: watch::Receiver<Option<Arc<Desired>>>,
}

impl PodExchange {
    /// Runs until the task is ended or the fleet is gone.
    pub async fn run(mut self) {
        let mut told = Told::default();
        let mut pause = FIRST_PAUSE;
        let mut client: Option<(Arc<Desired>, ExchangeClient)> = None;
        loop {
            let Some(desired) = self.desired.borrow_and_update().clone() else {
                if self.desired.changed().await.is_err() {
                    return;
                }
                continue;
            };
            // The first request carries nothing: only a later one shows that the pod takes what we have to say.
            let greeted = !told.instance.is_empty();
            match self.once(&desired, &mut client, &mut told).await {
                Ok(()) if greeted => pause = FIRST_PAUSE,
                Ok(()) => {}
                Err(error) => {
                    if let ExchangeError::StaleTerm { term } = error {
                        self.leader.term.rise_above(term);
                    }
                    tracing::info!(pod = self.pod.name, group = self.group.name, %error, "exchange failed");
                    client = None;
                    told = Told::default();
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// One request, to its answer or to the moment when there is something new to say.
    async fn once(
        &mut self,
        desired: &Arc<Desired>,
        client: &mut Option<(Arc<Desired>, ExchangeClient)>,
        told: &mut Told,
    ) -> Result<(), ExchangeError> {
        let same_way = |had: &Desired| had.certificate == desired.certificate && had.token == desired.token;
        if !client.as_ref().is_some_and(|(had, _)| same_way(had)) {
            let new = ExchangeClient::new(
                self.pod.ip,
                EXCHANGE_PORT,
                &desired.certificate,
                desired.token.clone(),
            )?;
            *client = Some((Arc::clone(desired), new));
        }
        let Some((_, client)) = client else { return Ok(()) };
        let mut versions = self.knowledge.versions();
        let runs = told.acknowledged.hash.as_ref() == Some(desired.document.hash());
        let brief = || self.knowledge.briefing(&told.instance, &desired.scope, runs);
        let briefing = brief();
        let request = self.request(desired, told, &briefing);
        let answer = client.exchange(&request);
        tokio::pin!(answer);
        let response = loop {
            tokio::select! {
                response = &mut answer => break response?,
                changed = self.desired.changed(), if request.wait_ms > 0 => {
                    if changed.is_err() {
                        // The fleet is gone; whoever owns this task ends it.
                        std::future::pending::<()>().await;
                    }
                    return Ok(());
                }
                _ = versions.changed(), if request.wait_ms > 0 => {
                    if !brief().known_from(&briefing) {
                        return Ok(());
                    }
                }
            }
        };
        self.take_in(desired, told, briefing, &request, response);
        Ok(())
    }

    fn request(&self, desired: &Desired, told: &Told, briefing: &Briefing) -> ExchangeRequest {
        let hash = desired.document.hash();
        let tried = told
            .offered
            .as_ref()
            .is_some_and(|(offered, at)| offered == hash && at.elapsed() < OFFER_AGAIN);
        let offer = !told.instance.is_empty() && told.acknowledged.hash.as_ref() != Some(hash) && !tried;
        let document = offer.then(|| desired.document.clone());
        let news = !told
            .briefing
            .as_ref()
            .is_some_and(|before| briefing.known_from(before));
        let clears = if told.clears == desired.clear_cooldowns {
            &[][..]
        } else {
            &desired.clear_cooldowns
        };
        let first = told.instance.is_empty();
        ExchangeRequest {
            term: u64::try_from(self.leader.term.held()).unwrap_or(0),
            reader: self.leader.identity.clone(),
            // A pod answers with a snapshot to one that does not know it.
            instance: if told.lacks {
                String::new()
            } else {
                told.instance.clone()
            },
            confirmed: self.knowledge.confirmed(&told.instance),
            acknowledged: told.acknowledged.clone(),
            wait_ms: if first || news || document.is_some() || !clears.is_empty() {
                0
            } else {
                MAX_POLL_MS
            },
            document,
            advisories: (news && !first).then(|| briefing.advisories.to_wire(self.knowledge.clock.now())),
            first_validations: (news && !first).then(|| briefing.first_validations.iter().cloned().collect()),
            clear_cooldowns: clears.to_vec(),
        }
    }

    fn take_in(
        &self,
        desired: &Desired,
        told: &mut Told,
        briefing: Briefing,
        request: &ExchangeRequest,
        response: ExchangeResponse,
    ) {
        if told.instance != response.instance {
            *told = Told {
                instance: response.instance.clone(),
                ..Told::default()
            };
        } else {
            if request.advisories.is_some() {
                told.briefing = Some(briefing);
            }
            if request.document.is_some() {
                told.offered = Some((desired.document.hash().clone(), tokio::time::Instant::now()));
            }
            told.clears.clone_from(&desired.clear_cooldowns);
        }
        told.acknowledged = response.acknowledgement.clone();
        // Only a pod that runs the document by now has nothing left to forget.
        let runs = told.acknowledged.hash.as_ref() == Some(desired.document.hash());
        told.lacks = runs && !response.snapshot && !told.covered.covers(&desired.scope);
        if runs && !told.lacks {
            told.covered = desired.scope.clone();
        }
        self.knowledge
            .receive(&self.group, &self.pod.uid, &desired.scope, response);
    }
}

#[cfg(test)]
mod tests;

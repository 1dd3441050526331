//! Who leads: one Lease, judged by one's own clock.
//!
//! A candidate takes over only after it has itself *observed* no renewal for a whole lease duration: clocks of other machines are never compared.
//! A holder that cannot renew for the renew deadline has lost, and the process ends: a new one starts clean. The Lease's
//! transition count is the *term* that pods use to refuse an old leader.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};

#[cfg(test)]
pub(crate) mod fake;
mod term;

pub use term::Term;

/// Releasing is tried so often where somebody else's write, or a last renewal of our own, comes in between.
const RELEASE_TRIES: usize = 3;

/// How the Lease is held.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// Namespace of the Lease: the operator's own.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who we are: the pod's name and a random part, so that a restarted container is someone else.
    pub identity: String,
    /// How long others wait without a renewal.
    pub duration: Duration,
    /// How long the holder tries to renew before it gives up.
    pub renew_deadline: Duration,
    /// Pause between two looks.
    pub retry_period: Duration,
}

/// What another's Lease looked like, and since when it has not changed, by our clock.
#[derive(Clone, Debug, Default)]
struct Observed {
    renewal: Option<(Option<String>, Option<MicroTime>)>,
    since: Option<Instant>,
}

/// What to do about the Lease that was read.
#[derive(Debug, Eq, PartialEq)]
enum Decision {
    Create,
    Take { term: i32 },
    Renew { term: i32 },
    Wait,
}

/// Leadership ended: another holds the Lease, or it could not be renewed in time.
#[derive(Debug, thiserror::Error)]
#[error("leadership lost: {0}")]
pub struct Lost(pub &'static str);

/// A candidate for the Lease, and its holder once it has it.
pub struct Candidate {
    api: Api<Lease>,
    settings: LeaseSettings,
    observed: Observed,
    /// When the last look began that left the Lease ours: what the others see is no earlier than that.
    renewed: Instant,
}

impl Observed {
    fn decide(
        &mut self,
        lease: Option<&Lease>,
        identity: &str,
        duration: Duration,
        now: Instant,
    ) -> Decision {
        let Some(spec) = lease.and_then(|lease| lease.spec.as_ref()) else {
            return if lease.is_some() {
                Decision::Take { term: 0 }
            } else {
                Decision::Create
            };
        };
        let term = spec.lease_transitions.unwrap_or(0);
        if spec.holder_identity.as_deref() == Some(identity) {
            return Decision::Renew { term };
        }
        let next = term.saturating_add(1);
        // A holder that released on its way out leaves an empty name.
        if spec.holder_identity.as_deref().unwrap_or("").is_empty() {
            return Decision::Take { term: next };
        }
        let renewal = Some((spec.holder_identity.clone(), spec.renew_time.clone()));
        if self.renewal != renewal {
            self.renewal = renewal;
            self.since = Some(now);
        }
        match self.since {
            Some(since) if now.duration_since(since) >= duration => Decision::Take { term: next },
            _ => Decision::Wait,
        }
    }
}

impl Candidate {
    /// A candidate that has not looked yet.
    pub fn new(client: Client, settings: LeaseSettings) -> Self {
        let api = Api::namespaced(client, &settings.namespace);
        Self {
            api,
            settings,
            observed: Observed::default(),
            renewed: Instant::now(),
        }
    }

    /// Waits until the Lease is ours and returns its term.
    pub async fn acquire(&mut self) -> Term {
        loop {
            match self.step(0).await {
                Ok(Some(term)) => return Term::new(term),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the Lease could not be read or written"),
            }
            tokio::time::sleep(self.settings.retry_period).await;
        }
    }

    /// Renews until leadership is lost, and writes a term that has to rise at once.
    pub async fn hold(&mut self, term: &Term) -> Lost {
        let mut rises = term.rises();
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.settings.retry_period) => {}
                Ok(()) = rises.changed() => {}
            }
            let left = self
                .settings
                .renew_deadline
                .saturating_sub(self.renewed.elapsed());
            match tokio::time::timeout(left, self.step(term.wanted())).await {
                Ok(Ok(Some(held))) => term.written(held),
                Ok(Ok(None)) => return Lost("another holds the Lease"),
                Ok(Err(error)) => tracing::warn!(%error, "the Lease could not be renewed"),
                Err(_) => return Lost("the Lease could not be renewed in time"),
            }
            if self.renewed.elapsed() >= self.settings.renew_deadline {
                return Lost("the Lease could not be renewed in time");
            }
        }
    }

    /// Leaves the Lease to others at once, on the way out.
    pub async fn release(&mut self) {
        for _ in 0..RELEASE_TRIES {
            let Ok(Some(lease)) = self.api.get_opt(&self.settings.name).await else {
                return;
            };
            let Some(mut spec) = lease.spec.clone() else {
                return;
            };
            if spec.holder_identity.as_deref() != Some(&self.settings.identity) {
                return;
            }
            spec.holder_identity = Some(String::new());
            match self.replace(lease, spec).await {
                Ok(()) => return,
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => {
                    tracing::warn!(%error, "the Lease could not be released");
                    return;
                }
            }
        }
    }

    /// One look and, where due, one write. `Some(term)` means that the Lease is ours.
    async fn step(&mut self, least_term: i32) -> Result<Option<i32>, kube::Error> {
        let asked = Instant::now();
        let lease = self.api.get_opt(&self.settings.name).await?;
        let now = Instant::now();
        let decision = self.observed.decide(
            lease.as_ref(),
            &self.settings.identity,
            self.settings.duration,
            now,
        );
        let (term, acquired) = match decision {
            Decision::Wait => return Ok(None),
            Decision::Create => (least_term.max(1), true),
            Decision::Take { term } => (term.max(least_term), true),
            Decision::Renew { term } => (term.max(least_term), false),
        };
        let time = MicroTime(Timestamp::now());
        let before = lease
            .as_ref()
            .and_then(|lease| lease.spec.as_ref()?.acquire_time.clone());
        let spec = LeaseSpec {
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.settings.duration.as_secs()).unwrap_or(i32::MAX)),
            acquire_time: if acquired { Some(time.clone()) } else { before },
            renew_time: Some(time),
            lease_transitions: Some(term),
            ..LeaseSpec::default()
        };
        let written = match lease {
            Some(lease) => self.replace(lease, spec).await,
            None => self.create(spec).await,
        };
        match written {
            Ok(()) => {
                self.renewed = asked;
                Ok(Some(term))
            }
            // Someone was faster: look again later.
            Err(kube::Error::Api(status)) if status.code == 409 && acquired => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, spec: LeaseSpec) -> Result<(), kube::Error> {
        let metadata = ObjectMeta {
            name: Some(self.settings.name.clone()),
            ..ObjectMeta::default()
        };
        self.api
            .create(
                &PostParams::default(),
                &Lease {
                    metadata,
                    spec: Some(spec),
                },
            )
            .await
            .map(drop)
    }

    /// Carries the resourceVersion that was read: of two writers one fails.
    async fn replace(&self, mut lease: Lease, spec: LeaseSpec) -> Result<(), kube::Error> {
        lease.spec = Some(spec);
        self.api
            .replace(&self.settings.name, &PostParams::default(), &lease)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests;

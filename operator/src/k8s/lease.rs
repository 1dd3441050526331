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
        }
    }

    /// Waits until the Lease is ours and returns its term.
    pub async fn acquire(&mut self) -> i32 {
        loop {
            match self.step(0).await {
                Ok(Some(term)) => return term,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the Lease could not be read or written"),
            }
            tokio::time::sleep(self.settings.retry_period).await;
        }
    }

    /// Renews until leadership is lost. `least_term` lets a holder raise its term above one that a pod has seen.
    pub async fn hold(&mut self, least_term: &tokio::sync::watch::Sender<i32>) -> Lost {
        // Counted from before the request: what the others see is no later than that.
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(self.settings.retry_period).await;
            // A guard must not live through the match: its arms write the same value.
            let least = *least_term.borrow();
            let asked = Instant::now();
            let left = self.settings.renew_deadline.saturating_sub(renewed.elapsed());
            match tokio::time::timeout(left, self.step(least)).await {
                Ok(Ok(Some(term))) => {
                    renewed = asked;
                    least_term.send_if_modified(|least| std::mem::replace(least, term) != term);
                }
                Ok(Ok(None)) => return Lost("another holds the Lease"),
                Ok(Err(error)) => tracing::warn!(%error, "the Lease could not be renewed"),
                Err(_) => return Lost("the Lease could not be renewed in time"),
            }
            if renewed.elapsed() >= self.settings.renew_deadline {
                return Lost("the Lease could not be renewed in time");
            }
        }
    }

    /// Leaves the Lease to others at once, on the way out.
    pub async fn release(&mut self) {
        let Ok(Some(lease)) = self.api.get_opt(&self.settings.name).await else {
            return;
        };
        let Some(mut spec) = lease.spec.clone() else {
            return;
        };
        if spec.holder_identity.as_deref() == Some(&self.settings.identity) {
            spec.holder_identity = Some(String::new());
            if let Err(error) = self.replace(lease, spec).await {
                tracing::warn!(%error, "the Lease could not be released");
            }
        }
    }

    /// One look and, where due, one write. `Some(term)` means that the Lease is ours.
    async fn step(&mut self, least_term: i32) -> Result<Option<i32>, kube::Error> {
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
            Ok(()) => Ok(Some(term)),
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
mod tests {
    use super::*;

    fn lease(holder: &str, renewed: i64, term: i32) -> Lease {
        let spec = LeaseSpec {
            holder_identity: Some(holder.into()),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
            lease_transitions: Some(term),
            ..LeaseSpec::default()
        };
        Lease {
            metadata: ObjectMeta::default(),
            spec: Some(spec),
        }
    }

    const DURATION: Duration = Duration::from_secs(15);

    #[test]
    fn a_missing_lease_is_created_and_our_own_renewed() {
        let (mut seen, now) = (Observed::default(), Instant::now());
        assert_eq!(seen.decide(None, "me", DURATION, now), Decision::Create);
        assert_eq!(
            seen.decide(Some(&lease("me", 1, 4)), "me", DURATION, now),
            Decision::Renew { term: 4 }
        );
    }

    #[test]
    fn anothers_lease_is_taken_only_after_a_whole_duration_without_a_renewal_that_we_saw() {
        let (mut seen, start) = (Observed::default(), Instant::now());
        // Its own clock is far behind ours: that alone says nothing.
        assert_eq!(
            seen.decide(Some(&lease("other", 1, 4)), "me", DURATION, start),
            Decision::Wait
        );
        let later = start + DURATION - Duration::from_secs(1);
        assert_eq!(
            seen.decide(Some(&lease("other", 2, 4)), "me", DURATION, later),
            Decision::Wait
        );
        assert_eq!(
            seen.decide(Some(&lease("other", 2, 4)), "me", DURATION, start + DURATION),
            Decision::Wait
        );
        let take = Decision::Take { term: 5 };
        assert_eq!(
            seen.decide(Some(&lease("other", 2, 4)), "me", DURATION, later + DURATION),
            take
        );
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let mut seen = Observed::default();
        let take = Decision::Take { term: 8 };
        assert_eq!(
            seen.decide(Some(&lease("", 1, 7)), "me", DURATION, Instant::now()),
            take
        );
    }
}

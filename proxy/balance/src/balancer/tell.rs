//! What is told to others, and in which words.

use std::sync::Arc;

use super::Balancer;
use crate::health::EndpointState;
use crate::key::Proof;
use crate::provider::{Provider, RestAt};
use crate::rest::{Kind, Own};
use crate::time::Time;
use crate::verdict::{CoolingReason, Finding, Report, Reports, Scope, VerdictId};

/// How a refutation of another's verdict was told.
#[derive(Clone, Debug)]
pub(super) struct Refutation {
    sequence: u64,
    provider: Arc<str>,
    at: Time,
}

impl Balancer {
    /// Own findings after a sequence number, or all that hold now when those are no longer kept (or for `None`).
    pub fn reports_since(&self, sequence: Option<u64>, now: Time) -> Reports {
        let kept = sequence.and_then(|sequence| self.journal.after(sequence));
        Reports {
            snapshot: kept.is_none(),
            reports: kept.unwrap_or_else(|| self.snapshot(now)),
            sequence: self.journal.sequence(),
        }
    }

    /// Tells an own verdict, where it is news.
    pub(super) fn tell_rest(&mut self, provider: usize, at: RestAt, now: Time) {
        let Some(held) = self.providers.get_mut(provider) else {
            return;
        };
        let Some(finding) = held
            .rest(at)
            .and_then(|rest| rest.news(now))
            .map(|own| finding(held, at, own, now))
        else {
            return;
        };
        let id = self.journal.report(&held.config.uid, now, finding);
        if let Some(rest) = held.rest_mut(at) {
            rest.told_as(id, now);
        }
    }

    /// After an update: verdicts that found another bearer.
    pub(super) fn tell_everything_new(&mut self, now: Time) {
        for provider in 0..self.providers.len() {
            let rests: Vec<RestAt> = self.providers[provider].rests().collect();
            for at in rests {
                let over = self.providers[provider]
                    .rest(at)
                    .and_then(|rest| rest.own.as_ref())
                    .is_none_or(|own| own.until <= now);
                if !over {
                    self.tell_rest(provider, at, now);
                }
            }
        }
    }

    /// Tells that verdicts no longer hold, and remembers foreign ones until the leader has heard it. What refuted them proves these keys
    /// anew: a new leader, which knows the verdicts by other names, goes by that.
    pub(super) fn tell_refuted(
        &mut self,
        provider: usize,
        keys: &[usize],
        verdicts: Vec<VerdictId>,
        now: Time,
    ) {
        let Some(held) = self.providers.get_mut(provider) else {
            return;
        };
        if verdicts.is_empty() {
            return;
        }
        for key in keys {
            if let Some(Proof::Proven { at, .. }) = held.keys.get_mut(*key).map(|key| &mut key.proof) {
                *at = now;
            }
        }
        let finding = Finding::Refuted {
            verdicts: verdicts.clone(),
        };
        let sequence = self.journal.report(&held.config.uid, now, finding);
        for verdict in verdicts {
            if let VerdictId::Foreign(id) = verdict {
                let provider = Arc::clone(&held.config.uid);
                let refutation = Refutation {
                    sequence,
                    provider,
                    at: now,
                };
                self.refuted.insert(id, refutation);
            }
        }
    }

    pub(super) fn tell_endpoint(&mut self, provider: usize, state: Option<EndpointState>, now: Time) {
        if let (Some(state), Some(held)) = (state, self.providers.get_mut(provider)) {
            let id = self
                .journal
                .report(&held.config.uid, now, Finding::Endpoint { state });
            held.endpoint.told_as(id, now);
        }
    }

    /// All that was told and still holds, under the names that it was told with; and what was refuted, for a leader that may have lost it.
    fn snapshot(&self, now: Time) -> Vec<Report> {
        let refuted = self.refuted.iter().map(|(id, told)| Report {
            sequence: told.sequence,
            provider: Arc::clone(&told.provider),
            at: told.at,
            finding: Finding::Refuted {
                verdicts: vec![VerdictId::Foreign(id.clone())],
            },
        });
        let mut reports: Vec<Report> = refuted.collect();
        for held in &self.providers {
            let mut tell = |sequence, at, finding| {
                reports.push(Report {
                    sequence,
                    provider: held.config.uid.clone(),
                    at,
                    finding,
                });
            };
            for key in &held.keys {
                let fingerprint = key.fingerprint.clone();
                match key.proof {
                    Proof::Proven { told, at } => tell(told, at, Finding::Proven { fingerprint }),
                    Proof::NotVerifiable { told, at } => {
                        tell(told, at, Finding::NotVerifiable { fingerprint })
                    }
                    Proof::None => {}
                }
            }
            for at in held.rests() {
                let own = held.rest(at).and_then(|rest| rest.own.as_ref());
                if let Some(own) = own.filter(|own| own.until > now || own.kind == Kind::Invalid)
                    && let Some(id) = own.ids.last()
                {
                    tell(*id, own.since, finding(held, at, own, now));
                }
            }
            if let Some((id, at, state)) = held.endpoint.told() {
                tell(id, at, Finding::Endpoint { state });
            }
        }
        reports.sort_by_key(|report| report.sequence);
        reports
    }
}

fn finding(provider: &Provider, at: RestAt, own: &Own, now: Time) -> Finding {
    let lane = at.lane().and_then(|lane| provider.lanes.get(lane));
    let scope = Scope {
        fingerprint: own.by.clone(),
        quota_group: matches!(at, RestAt::Quota(_) | RestAt::QuotaModel(..)),
        model: lane.map(|lane| lane.model.clone()),
    };
    let cooling = |scope, reason| Finding::Cooling {
        scope,
        reason,
        until: own.until,
        soft: own.is_soft(now),
    };
    match own.kind {
        Kind::RateLimited => cooling(scope, CoolingReason::RateLimited),
        Kind::Refused => cooling(scope, CoolingReason::Refused),
        Kind::Credit => Finding::Exhausted {
            scope,
            until: own.until,
        },
        Kind::Invalid => Finding::Invalid {
            fingerprint: scope.fingerprint,
        },
    }
}

//! The balancer's words ↔ the contract's. Times become milliseconds that remain or have passed.

use std::sync::Arc;
use std::time::Duration;

use keypool_balance::health::EndpointState;
use keypool_balance::verdict::{Advice, CoolingReason, Finding, ForeignId, Scope, VerdictId};
use keypool_balance::{Advisory, Report, Time};
use keypool_contract::verdict;

/// An own report as a verdict.
pub(super) fn verdict(instance: &str, report: Report, now: Time) -> verdict::Verdict {
    verdict::Verdict {
        id: own(instance, report.sequence),
        provider: report.provider.to_string(),
        finding: finding(instance, report.finding, now),
        age_ms: millis(now.since(report.at)),
    }
}

fn finding(instance: &str, finding: Finding, now: Time) -> verdict::Finding {
    use verdict::Finding as To;
    let text = |text: Arc<str>| text.to_string();
    match finding {
        Finding::Proven { fingerprint } => To::Proven {
            fingerprint: text(fingerprint),
        },
        Finding::NotVerifiable { fingerprint } => To::NotVerifiable {
            fingerprint: text(fingerprint),
        },
        Finding::Cooling {
            scope,
            reason,
            until,
            soft,
        } => To::Cooling {
            scope: scope_out(scope),
            reason: match reason {
                CoolingReason::RateLimited => verdict::CoolingReason::RateLimited,
                CoolingReason::Refused => verdict::CoolingReason::Refused,
            },
            remaining_ms: millis(until.since(now)),
            soft,
        },
        Finding::Exhausted { scope, until } => To::Exhausted {
            scope: scope_out(scope),
            remaining_ms: millis(until.since(now)),
        },
        Finding::Invalid { fingerprint } => To::Invalid {
            fingerprint: text(fingerprint),
        },
        Finding::Refuted { verdicts } => To::Refuted {
            verdicts: verdicts
                .into_iter()
                .map(|id| match id {
                    VerdictId::Own(sequence) => own(instance, sequence),
                    VerdictId::Foreign(ForeignId { instance, sequence }) => own(&instance, sequence),
                })
                .collect(),
        },
        Finding::Endpoint { state } => To::Endpoint {
            state: match state {
                EndpointState::Reachable => verdict::EndpointState::Reachable,
                EndpointState::Refused => verdict::EndpointState::Refused,
                EndpointState::DnsFailed => verdict::EndpointState::DnsFailed,
                EndpointState::TlsInvalid => verdict::EndpointState::TlsInvalid,
                EndpointState::Overloaded => verdict::EndpointState::Overloaded,
            },
        },
    }
}

fn own(instance: &str, sequence: u64) -> verdict::VerdictId {
    verdict::VerdictId {
        instance: instance.to_owned(),
        sequence,
    }
}

fn scope_out(scope: Scope) -> verdict::Scope {
    verdict::Scope {
        fingerprint: scope.fingerprint.to_string(),
        quota_group: scope.quota_group,
        model: scope.model.map(|model| model.to_string()),
    }
}

/// The leader's word for the balancer; none for a finding that is no advice.
pub(super) fn advisory(advisory: &verdict::Advisory, now: Time) -> Option<Advisory> {
    let advice = match &advisory.finding {
        verdict::Finding::Cooling {
            scope,
            reason,
            remaining_ms,
            soft,
        } => Advice::Cooling {
            scope: scope_in(scope),
            reason: match reason {
                verdict::CoolingReason::RateLimited => CoolingReason::RateLimited,
                verdict::CoolingReason::Refused => CoolingReason::Refused,
            },
            until: now.after(Duration::from_millis(*remaining_ms)),
            soft: *soft,
        },
        verdict::Finding::Exhausted { scope, remaining_ms } => Advice::Exhausted {
            scope: scope_in(scope),
            until: now.after(Duration::from_millis(*remaining_ms)),
        },
        verdict::Finding::Invalid { fingerprint } => Advice::Invalid {
            fingerprint: fingerprint.as_str().into(),
        },
        verdict::Finding::Proven { .. }
        | verdict::Finding::NotVerifiable { .. }
        | verdict::Finding::Refuted { .. }
        | verdict::Finding::Endpoint { .. } => return None,
    };
    Some(Advisory {
        id: ForeignId {
            instance: advisory.id.instance.as_str().into(),
            sequence: advisory.id.sequence,
        },
        provider: advisory.provider.as_str().into(),
        advice,
    })
}

fn scope_in(scope: &verdict::Scope) -> Scope {
    Scope {
        fingerprint: scope.fingerprint.as_str().into(),
        quota_group: scope.quota_group,
        model: scope.model.as_deref().map(Into::into),
    }
}

/// Rounded up: what rests for less than a millisecond still rests.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_pod_tells_is_what_another_one_hears() {
        let now = Time::from_millis(1_000);
        let scope = Scope {
            fingerprint: "7f3a91c2".into(),
            quota_group: true,
            model: Some("gpt".into()),
        };
        let until = now.after(Duration::from_secs(45));
        for reason in [CoolingReason::RateLimited, CoolingReason::Refused] {
            for soft in [false, true] {
                let finding = Finding::Cooling {
                    scope: scope.clone(),
                    reason,
                    until,
                    soft,
                };
                let report = Report {
                    sequence: 7,
                    provider: "uid-p".into(),
                    at: now,
                    finding,
                };
                let told = verdict("pod", report, now);
                let heard = advisory(
                    &verdict::Advisory {
                        id: told.id,
                        provider: told.provider,
                        finding: told.finding,
                    },
                    now,
                );
                let advice = Advice::Cooling {
                    scope: scope.clone(),
                    reason,
                    until,
                    soft,
                };
                assert_eq!(heard.unwrap().advice, advice);
            }
        }
    }
}

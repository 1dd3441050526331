use keypool_contract::document::{Content, Cooldown, Credential, Document, Probe, Provider, Timeouts};
use keypool_contract::exchange::{Acknowledgement, ExchangeResponse};
use keypool_contract::verdict::{CoolingReason, Finding, Scope, Verdict, VerdictId};
use keypool_contract::{ProviderType, Salt};

use super::{DocumentScope, Held, Ledger};
use crate::moment::Moment;

mod advise;
mod endpoint;
mod properties;
mod receive;
mod seed;
pub(crate) mod unproven;

pub(crate) const P: &str = "uid-p";
const RATE: Held = Held::Cooling(CoolingReason::RateLimited);

fn scope(values: &[(&str, Option<&str>)]) -> DocumentScope {
    DocumentScope::of(&document(values))
}

/// A document of one provider with values `(fingerprint, quota group)`.
fn document(values: &[(&str, Option<&str>)]) -> Document {
    let credential = |(index, (fingerprint, group)): (usize, &(&str, Option<&str>))| Credential {
        name: format!("c{index}"),
        fingerprint: (*fingerprint).into(),
        key: None,
        weight: 1,
        priority: 0,
        enabled: true,
        quota_group: group.map(str::to_owned),
        models: Vec::new(),
        headers: Vec::new(),
    };
    let provider = Provider {
        namespace: "team".into(),
        name: "p".into(),
        provider_type: ProviderType::OpenAI,
        url: "https://api.openai.com/v1".into(),
        ca_bundle: None,
        headers: Vec::new(),
        credentials: values.iter().enumerate().map(credential).collect(),
        probe: Probe {
            enabled: true,
            interval_ms: 1,
            timeout_ms: 1,
        },
        cooldown: Cooldown {
            initial_ms: 1,
            max_ms: 1,
        },
        timeouts: Timeouts {
            connect_ms: 1,
            first_event_ms: 1,
            response_ms: 1,
            idle_ms: 1,
        },
    };
    let content = Content {
        salt: Salt(String::new()),
        providers: [(P.to_owned(), provider)].into(),
        groups: Vec::new(),
    };
    Document::new("l".into(), 1, content)
}

fn id(instance: &str, sequence: u64) -> VerdictId {
    VerdictId {
        instance: instance.into(),
        sequence,
    }
}

fn response(instance: &str, snapshot: bool, findings: Vec<(u64, Finding)>) -> ExchangeResponse {
    ExchangeResponse {
        instance: instance.into(),
        acknowledgement: Acknowledgement::default(),
        snapshot,
        sequence: findings.iter().map(|(sequence, _)| *sequence).max().unwrap_or(0),
        verdicts: findings
            .into_iter()
            .map(|(sequence, finding)| Verdict {
                id: id(instance, sequence),
                provider: P.into(),
                finding,
                age_ms: 0,
            })
            .collect(),
    }
}

fn cooling(fingerprint: &str, seconds: u64) -> Finding {
    Finding::Cooling {
        scope: whole(fingerprint),
        reason: CoolingReason::RateLimited,
        remaining_ms: seconds * 1000,
        soft: false,
    }
}

fn whole(fingerprint: &str) -> Scope {
    Scope {
        fingerprint: fingerprint.into(),
        quota_group: false,
        model: None,
    }
}

fn invalid(fingerprint: &str) -> Finding {
    Finding::Invalid {
        fingerprint: fingerprint.into(),
    }
}

fn refuted(ids: &[VerdictId]) -> Finding {
    Finding::Refuted {
        verdicts: ids.to_vec(),
    }
}

fn proven(fingerprint: &str) -> Finding {
    Finding::Proven {
        fingerprint: fingerprint.into(),
    }
}

/// What is held against a value, as (state, seconds that remain).
fn held(ledger: &Ledger, fingerprint: &str, now: Moment) -> Option<(Held, Option<i64>)> {
    let holds = ledger.standing(P, fingerprint, &[], now.monotonic).holds;
    let whole = holds.into_iter().find(|hold| hold.model.is_none())?;
    Some((
        whole.held,
        whole.until.map(|until| (until.0 - now.monotonic.0) / 1000),
    ))
}

//! Documents for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use keypool_contract::document::{
    Ambiguous, ClientAccess, ClientKey, Content, Cooldown, Credential, Group, Member, Probe, Provider, Retry,
    Strategy, Timeouts, UnknownModel,
};
use keypool_contract::{ClientKeyHash, Document, Encoded, ProviderType, Salt, Secret};

use super::{Snapshot, SnapshotId};
use crate::telemetry::Metrics;

pub(crate) const SALT: &str = "salt";

pub(crate) fn credential(name: &str, key: &str) -> Credential {
    Credential {
        name: name.into(),
        fingerprint: format!("fp-{key}"),
        key: Some(Secret::parse(key.as_bytes()).unwrap()),
        weight: 1,
        priority: 0,
        enabled: true,
        quota_group: None,
        models: Vec::new(),
        headers: Vec::new(),
    }
}

/// A self-hosted provider; its UID is `uid-<name>`.
pub(crate) fn provider(name: &str, url: &str, keys: &[&str]) -> Provider {
    Provider {
        namespace: "default".into(),
        name: name.into(),
        provider_type: ProviderType::OpenAICompatible,
        url: url.into(),
        ca_bundle: None,
        headers: Vec::new(),
        credentials: keys.iter().map(|key| credential(key, key)).collect(),
        probe: Probe {
            enabled: true,
            interval_ms: 900_000,
            timeout_ms: 10_000,
        },
        cooldown: Cooldown {
            initial_ms: 60_000,
            max_ms: 900_000,
        },
        timeouts: Timeouts {
            connect_ms: 1_000,
            first_event_ms: 2_000,
            response_ms: 3_000,
            idle_ms: 4_000,
        },
    }
}

pub(crate) fn member(name: &str, provider: &str, model: &str) -> Member {
    Member {
        name: name.into(),
        provider: format!("uid-{provider}"),
        model: model.into(),
        priority: 0,
        weight: 1,
        aliases: Vec::new(),
    }
}

/// A group that accepts these client keys; without any it is open.
pub(crate) fn group(name: &str, members: Vec<Member>, clients: &[&str]) -> Group {
    Group {
        namespace: "default".into(),
        name: name.into(),
        spec_generation: 1,
        aliases: Vec::new(),
        members,
        strategy: Strategy::WeightedRoundRobin,
        retry: Retry {
            attempts: 3,
            deadline_ms: 60_000,
            ambiguous: Ambiguous::Never,
        },
        unknown_model: UnknownModel::Reject,
        client_access: ClientAccess {
            insecure: clients.is_empty(),
            keys: clients
                .iter()
                .map(|key| ClientKey {
                    name: format!("name-of-{key}"),
                    hash: ClientKeyHash::of(&Salt(SALT.into()), key.as_bytes()),
                })
                .collect(),
        },
    }
}

pub(crate) fn document(generation: u64, providers: Vec<Provider>, groups: Vec<Group>) -> Document {
    let providers = providers
        .into_iter()
        .map(|provider| (format!("uid-{}", provider.name), provider))
        .collect::<BTreeMap<_, _>>();
    Document::new(
        "lineage".into(),
        generation,
        Content {
            salt: Salt(SALT.into()),
            providers,
            groups,
        },
    )
}

/// One provider `p` with keys `k1` and `k2`, one group `chat` with the client key `client`.
pub(crate) fn simple(generation: u64) -> Document {
    document(
        generation,
        vec![provider("p", "http://127.0.0.1:1/v1", &["k1", "k2"])],
        vec![group("chat", vec![member("m", "p", "model")], &["client"])],
    )
}

pub(crate) fn encode(document: &Document) -> Encoded {
    Encoded::write(document).unwrap()
}

pub(crate) fn compile(document: &Document) -> Arc<Snapshot> {
    compile_with(document, &Metrics::new())
}

pub(crate) fn compile_with(document: &Document, metrics: &Arc<Metrics>) -> Arc<Snapshot> {
    let id = SnapshotId::of(document, &encode(document));
    Arc::new(Snapshot::compile(id, document, None, metrics).unwrap())
}

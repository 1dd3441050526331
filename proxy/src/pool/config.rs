//! Snapshot → what the balancer balances. The lists keep the snapshot's order, so an index means the same in both.

use std::sync::Arc;
use std::time::Duration;

use keypool_balance::Config;
use keypool_balance::config::{
    Ambiguous, CooldownConfig, CredentialConfig, GroupConfig, MemberConfig, ProviderConfig, RetryConfig,
    Strategy,
};
use keypool_contract::document;

use crate::runtime::{Credential, Group, Provider, Snapshot};

pub(super) fn of(snapshot: &Snapshot) -> Config {
    Config {
        providers: snapshot
            .providers()
            .map(|provider| provider_config(provider))
            .collect(),
        groups: snapshot
            .groups()
            .iter()
            .map(|group| group_config(group))
            .collect(),
    }
}

fn provider_config(provider: &Provider) -> ProviderConfig {
    ProviderConfig {
        uid: provider.uid.as_str().into(),
        cooldown: CooldownConfig {
            initial: Duration::from_millis(provider.cooldown.initial_ms),
            max: Duration::from_millis(provider.cooldown.max_ms),
        },
        probe_interval: provider
            .probe
            .enabled
            .then(|| Duration::from_millis(provider.probe.interval_ms)),
        stream_lease: provider.first_event_timeout,
        response_lease: provider.response_timeout,
        credentials: provider.credentials.iter().map(credential_config).collect(),
    }
}

fn credential_config(credential: &Credential) -> CredentialConfig {
    CredentialConfig {
        name: text(&credential.name),
        fingerprint: text(&credential.fingerprint),
        weight: credential.weight,
        priority: credential.priority,
        enabled: credential.enabled,
        quota_group: credential.quota_group.as_deref().map(text),
        models: credential.models.iter().map(|model| text(model)).collect(),
    }
}

fn group_config(group: &Group) -> GroupConfig {
    GroupConfig {
        name: text(&group.name),
        members: group
            .members
            .iter()
            .map(|member| MemberConfig {
                name: text(&member.name),
                provider: text(&member.provider.uid),
                model: text(&member.model),
                priority: member.priority,
                weight: member.weight,
            })
            .collect(),
        strategy: match group.strategy {
            document::Strategy::RoundRobin => Strategy::RoundRobin,
            document::Strategy::WeightedRoundRobin => Strategy::WeightedRoundRobin,
        },
        retry: RetryConfig {
            attempts: group.attempts,
            deadline: group.deadline,
            ambiguous: match group.ambiguous {
                document::Ambiguous::Never => Ambiguous::Never,
                document::Ambiguous::Allow => Ambiguous::Allow,
            },
        },
    }
}

fn text(text: &str) -> Arc<str> {
    text.into()
}

//! State of every key, computed when it is asked for.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use keypool_balance::Time;
use keypool_balance::health::{CredentialHealth, KeyState};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::pool::Pool;
use crate::runtime::{Runtime, Snapshot};

/// `keypool_key_state` and `keypool_key_cooldown_remaining_seconds`.
pub(crate) struct KeyMetrics {
    pool: Arc<Pool>,
    runtime: Arc<Runtime>,
}

impl KeyMetrics {
    pub(crate) fn new(pool: Arc<Pool>, runtime: Arc<Runtime>) -> Self {
        Self { pool, runtime }
    }

    /// Every credential with its provider's name.
    fn keys(&self) -> (Vec<(String, CredentialHealth)>, Time) {
        let (health, now) = self.pool.health();
        let Some(snapshot) = self.runtime.current() else {
            return (Vec::new(), now);
        };
        let keys = health.into_iter().flat_map(|provider| {
            let name = name(&snapshot, &provider.uid);
            provider
                .credentials
                .into_iter()
                .map(move |credential| (name.clone(), credential))
        });
        (keys.collect(), now)
    }
}

/// The provider's name; with its namespace where another provider has the same one, so that no two series are alike.
fn name(snapshot: &Snapshot, uid: &str) -> String {
    let Some(provider) = snapshot.provider(uid) else {
        return uid.to_owned();
    };
    let alone = snapshot
        .providers()
        .filter(|other| other.name == provider.name)
        .count()
        == 1;
    if alone {
        provider.name.to_string()
    } else {
        format!("{}/{}", provider.namespace, provider.name)
    }
}

impl Collector for KeyMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (keys, now) = self.keys();
        let mut states =
            encoder.encode_descriptor("key_state", "1 for the state of a key", None, MetricType::Gauge)?;
        for (provider, key) in &keys {
            let labels = [
                ("provider", provider.as_str()),
                ("credential", &*key.name),
                ("state", state(key.state)),
            ];
            ConstGauge::new(1_i64).encode(states.encode_family(&labels)?)?;
        }
        let mut remaining = encoder.encode_descriptor(
            "key_cooldown_remaining_seconds",
            "Time until a resting key may be used again; model is empty where it rests for all",
            None,
            MetricType::Gauge,
        )?;
        for (provider, key) in &keys {
            let whole = key.until.map(|until| ("", until));
            let models = key
                .models
                .iter()
                .filter_map(|model| model.until.map(|until| (&*model.model, until)));
            let mut told = HashSet::new();
            for (model, until) in whole.into_iter().chain(models) {
                if !told.insert(model) {
                    continue;
                }
                let labels = [
                    ("provider", provider.as_str()),
                    ("credential", &*key.name),
                    ("model", model),
                ];
                ConstGauge::new(until.since(now).as_secs_f64()).encode(remaining.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Unknown => "Unknown",
        KeyState::Healthy => "Healthy",
        KeyState::CoolingDown => "CoolingDown",
        KeyState::Exhausted => "Exhausted",
        KeyState::Invalid => "Invalid",
        KeyState::Disabled => "Disabled",
    }
}

impl fmt::Debug for KeyMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMetrics")
    }
}

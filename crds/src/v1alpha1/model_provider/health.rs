//! How keys are validated and how long they rest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::shared::text::DURATION;
use crate::v1alpha1::shared::{Duration, rule_at, yes};

/// How keys are validated and how long they rest after a refusal.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    /// The free validation call. Left out: the defaults of its fields.
    pub probe: Probe,
    /// How long a key rests. Left out: the defaults of its fields.
    pub cooldown: Cooldown,
}

/// A free call (the list of models, never a completion) by which a proxy asks whether a key is accepted. It proves a new value,
/// confirms a refusal and finds a mended key.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [rule_at(
    ".interval",
    format!("!self.interval.matches('{DURATION}') || duration(self.interval) >= duration('1s')"),
    "health.probe.interval must be at least 1s, because every call counts against the provider's limits; leave it out for 15m",
)]))]
pub struct Probe {
    /// Whether keys are validated by calls of their own. Switched off, only requests of clients prove or refuse a key, and a
    /// second request confirms a refusal. Left out: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Time between two calls for a key that is refused or has not been proven. Left out: 15m.
    #[serde(default = "interval")]
    pub interval: Duration,
    /// Time after which a call without an answer is given up and proves nothing. Left out: 10s.
    #[serde(default = "timeout")]
    pub timeout: Duration,
}

fn interval() -> Duration {
    Duration::new("15m")
}

fn timeout() -> Duration {
    Duration::new("10s")
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            enabled: yes(),
            interval: interval(),
            timeout: timeout(),
        }
    }
}

/// How long a key rests after a limit was met. What the vendor's answer says is honoured within 250ms and max.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [rule_at(
    ".initial",
    format!(
        "!self.initial.matches('{DURATION}') || !self.max.matches('{DURATION}') || duration(self.initial) <= duration(self.max)"
    ),
    "health.cooldown.initial must not be longer than health.cooldown.max; lower initial (60s if left out) or raise max (15m if \
     left out)",
)]))]
pub struct Cooldown {
    /// First rest when the answer does not say how long; it doubles up to max while the key keeps being refused. Left out: 60s.
    #[serde(default = "initial")]
    pub initial: Duration,
    /// Longest rest, also where the vendor asks for more: the key is then tried again. Left out: 15m.
    #[serde(default = "max")]
    pub max: Duration,
}

fn initial() -> Duration {
    Duration::new("60s")
}

fn max() -> Duration {
    Duration::new("15m")
}

impl Default for Cooldown {
    fn default() -> Self {
        Self {
            initial: initial(),
            max: max(),
        }
    }
}

//! What is known about a provider.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::conditions::{KeyReason, KeyState};
use crate::v1alpha1::shared::KeySummary;

/// What is known about a provider. The operator writes it from what the proxies saw.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelProviderStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Accepted, ResolvedRefs, EndpointHealthy, KeysHealthy and Ready; Reconciling, Stalled and Paused only while true.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// How many keys are in which state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_summary: Option<KeySummary>,
    /// Every key, by its credential's name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub keys: Vec<KeyStatus>,
    /// How many of the proxy pods that use this provider report about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reporting: Option<Reporting>,
    /// Which groups send requests through this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_by: Option<UsedBy>,
    /// The value of the annotation keypool.dev/reconcile-requested-at that was acted upon last; what is longer than 1024
    /// characters is cut there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_reconcile_at: Option<String>,
    /// The value of the annotation keypool.dev/clear-cooldown that was acted upon last; what is longer than 1024 characters is
    /// cut there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_clear_cooldown: Option<String>,
}

/// What is known about one key.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// Name of the credential; `anonymous` for a provider without credentials.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Unknown: this value has not been proven yet; it is used. Healthy: proven, and nothing known against it. CoolingDown:
    /// not used until `until`. Exhausted: credit or plan is used up. Invalid: the provider refuses it. Missing: the Secret or
    /// data key is not there, or may not be used here. Malformed: the value cannot be a key. Disabled: switched off, or weight 0.
    pub state: KeyState,
    /// Why it is in this state. Healthy: Proven, CooldownOver. Unknown: NotUsedYet, NotVerifiable, NotInUse. CoolingDown:
    /// RateLimited, Refused. Exhausted: CreditExhausted. Invalid: RefusedByProvider. Missing:
    /// SecretNotFound, SecretKeyNotFound, RefNotPermitted, HostNotAllowed. Malformed: Empty, NotAHeaderValue, TooLong. Disabled:
    /// Disabled, Drained.
    pub reason: KeyReason,
    /// When the key came into this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When a cooldown ends, rounded up to 10 seconds. Absent for a state that has no end of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Names the value without revealing it: a short keyed hash, equal in this namespace for equal values. Absent without a
    /// value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub fingerprint: Option<String>,
    /// The quota group of the credential, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub quota_group: Option<String>,
    /// Models that are not usable on this key while others are, at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub models: Vec<KeyModelStatus>,
    /// How many models more than those listed are not usable on this key. Absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub more_models: Option<i32>,
}

/// One model that is not usable on a key.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyModelStatus {
    /// Name of the upstream model.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// The state of the key for this model; the words are those of the key's state.
    pub state: KeyState,
    /// Why; the words are those of the key's reason.
    pub reason: KeyReason,
    /// When it ends, rounded up to 10 seconds. Absent for a state that has no end of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// How many proxy pods report.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reporting {
    /// Pods that report.
    #[schemars(range(min = 0))]
    pub ready: i32,
    /// Pods that should.
    #[schemars(range(min = 0))]
    pub total: i32,
}

/// Which groups use a provider.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsedBy {
    /// How many groups use it.
    #[schemars(range(min = 0))]
    pub count: i32,
    /// Their names in the order of the alphabet, the first 32.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63)))]
    pub groups: Vec<String>,
}

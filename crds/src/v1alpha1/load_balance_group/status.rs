//! What is known about a group.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::conditions::{MemberReason, MemberState};
use crate::v1alpha1::shared::KeySummary;

/// What is known about a group.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalanceGroupStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Accepted, ResolvedRefs, Programmed, Available, MembersHealthy and Ready; Reconciling, Stalled and Paused only while true.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// Root URL of the group's Service for clients in the cluster, without /v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub endpoint: Option<String>,
    /// Number of proxy pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// Number of proxy pods that are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub ready_replicas: Option<i32>,
    /// Label selector of the proxy pods, for autoscalers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,
    /// The configuration that the proxies should run, and how far it has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigStatus>,
    /// How many distinct keys of all members are in which state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_summary: Option<KeySummary>,
    /// Every member, by its name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub members: Vec<MemberStatus>,
    /// How many members can serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_summary: Option<MemberSummary>,
    /// The value of the annotation keypool.dev/reconcile-requested-at that was acted upon last; what is longer than 1024
    /// characters is cut there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_reconcile_at: Option<String>,
}

/// The configuration that the proxies should run.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigStatus {
    /// Counts the configurations of this group.
    #[schemars(range(min = 0))]
    pub revision: i64,
    /// Checksum of the configuration.
    #[schemars(length(max = 128))]
    pub hash: String,
    /// Number of proxy pods that run exactly this configuration.
    #[schemars(range(min = 0))]
    pub applied_replicas: i32,
    /// Why pods refused it; the last good one keeps serving. Absent if none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<ConfigError>,
}

/// Why a configuration was refused.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigError {
    /// What is wrong, as a word of a closed set.
    #[schemars(length(min = 1, max = 64))]
    pub code: String,
    /// Where it is in the configuration, as a JSON pointer; empty for the whole.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub path: String,
}

/// What is known about one member.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Name of the member.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Healthy: all its keys are usable. Degraded: some are. CoolingDown: none is now, and at least one comes back by itself.
    /// Unusable: none is, and none comes back by itself, or the endpoint is not reached. Drained: weight 0. Unresolved: its
    /// provider is not there or cannot be served.
    pub state: MemberState,
    /// Keys that requests may be sent with now.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub usable_keys: i32,
    /// All keys.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub total_keys: i32,
    /// Why it is in this state. Healthy: AllKeysUsable. Degraded: SomeKeysCooling, SomeKeysUnusable. CoolingDown:
    /// AllKeysCooling. Unusable: NoUsableKeys, EndpointUnhealthy. Drained: Drained. Unresolved: ProviderNotFound,
    /// ProviderNotAccepted.
    pub reason: MemberReason,
}

/// How many members can serve.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberSummary {
    /// Members that can serve now of all, such as `4/5`.
    #[schemars(length(max = 16))]
    pub display: String,
}

//! A group: the balanced unit that clients call.

use serde::{Deserialize, Serialize};

use super::ProviderUid;
use crate::client_key::ClientKeyHash;

/// One LoadBalanceGroup.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Namespace of the LoadBalanceGroup.
    pub namespace: String,
    /// Name of the LoadBalanceGroup.
    pub name: String,
    /// `metadata.generation` of the LoadBalanceGroup from which this was built.
    pub spec_generation: i64,
    /// Other model names for the whole group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// What requests are balanced over.
    pub members: Vec<Member>,
    /// How a member and a credential are chosen within a priority.
    pub strategy: Strategy,
    /// When another attempt is made.
    pub retry: Retry,
    /// What happens to a model that the group does not know.
    pub unknown_model: UnknownModel,
    /// Who may call.
    pub client_access: ClientAccess,
}

/// One provider with one upstream model.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Name within the group.
    pub name: String,
    /// A key of [`super::Content::providers`].
    pub provider: ProviderUid,
    /// The model that the provider is asked for.
    pub model: String,
    /// Lower first.
    pub priority: u32,
    /// Share within a priority; 0 takes nothing.
    pub weight: u32,
    /// Other model names for this member alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

/// How a target is chosen within a priority.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Strategy {
    /// Each in turn, weights ignored except 0.
    RoundRobin,
    /// In proportion to the weights, evenly spread.
    WeightedRoundRobin,
}

/// When another attempt is made for a request.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Attempts for a provider's faults, the first included.
    pub attempts: u32,
    /// Milliseconds after a request's arrival from which no attempt starts.
    pub deadline_ms: u64,
    /// Whether a request that may have been worked on is sent again.
    pub ambiguous: Ambiguous,
}

/// Whether a request that may have been worked on is sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Ambiguous {
    /// Never: it may cost twice.
    Never,
    /// Once more elsewhere, within the retry budget.
    Allow,
}

/// What happens to a model that the group does not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum UnknownModel {
    /// 404 with the list of what exists.
    Reject,
    /// Balanced over all members, each with its own model.
    Balance,
}

/// Who may call a group.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientAccess {
    /// Anyone who reaches the port. Only by the user's explicit word.
    pub insecure: bool,
    /// The keys that are accepted.
    pub keys: Vec<ClientKey>,
}

/// One accepted client key.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientKey {
    /// Name for logs: `generated`, or the user's.
    pub name: String,
    /// Salted hash of the value.
    pub hash: ClientKeyHash,
}

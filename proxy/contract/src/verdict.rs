//! What a pod learned, as it travels.
//!
//! A *verdict* says that something about a key changed, with an id that other pods and a new leader can name. A pod reports
//! only what it saw itself. The leader merges verdicts and hands them to the other pods as *advisories*; a pod keeps those
//! apart from its own observations and never reports them back. A *refutation* is a success of an attempt that was sent after the pod knew
//! the verdicts that it names. Times are milliseconds that remain, because clocks differ.

use serde::{Deserialize, Serialize};

use crate::document::{Fingerprint, ProviderUid};

/// Names a verdict for good: the process that made it and its sequence number there.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct VerdictId {
    /// The pod's instance id: random per process. A leader that restores a verdict from stored status uses `status`.
    pub instance: String,
    /// Counts the instance's verdicts, from 1.
    pub sequence: u64,
}

/// One thing that a pod learned about a provider.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Its name.
    pub id: VerdictId,
    /// The provider it is about; health belongs to it.
    pub provider: ProviderUid,
    /// What was learned.
    pub finding: Finding,
    /// Milliseconds since it was learned.
    pub age_ms: u64,
}

/// What was learned.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Finding {
    /// A success or a probe proved this value; it clears nothing.
    Proven {
        /// The value.
        fingerprint: Fingerprint,
    },
    /// The first validation could not tell (403, missing scopes): the key is used, unproven.
    NotVerifiable {
        /// The value.
        fingerprint: Fingerprint,
    },
    /// A part of the provider's capacity is not to be used for a while.
    Cooling {
        /// What rests.
        scope: Scope,
        /// Why.
        reason: CoolingReason,
        /// Milliseconds until it may be tried again.
        remaining_ms: u64,
        /// True when no vendor's hint (`Retry-After` and the like) stands behind the deadline: where nothing else is usable it may be
        /// tried earlier. False by default: who does not know waits.
        #[serde(default)]
        soft: bool,
    },
    /// Out of credit or plan; tried again slowly.
    Exhausted {
        /// What rests.
        scope: Scope,
        /// Milliseconds until it may be tried again.
        remaining_ms: u64,
    },
    /// Refused, and the refusal was confirmed.
    Invalid {
        /// The value.
        fingerprint: Fingerprint,
    },
    /// An attempt that was sent after these verdicts were known succeeded: they no longer hold.
    Refuted {
        /// The verdicts, of any instance.
        verdicts: Vec<VerdictId>,
    },
    /// The provider's endpoint changed its state, as this pod sees it.
    Endpoint {
        /// How it answers.
        state: EndpointState,
    },
}

/// What rests. A quota group's members are named by their fingerprints, so that a verdict stays with values.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// The value whose use showed it.
    pub fingerprint: Fingerprint,
    /// True when every credential of that value's quota group rests; false for this value alone.
    pub quota_group: bool,
    /// The upstream model; none for all models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Why something rests: the reasons of a `CoolingDown` key. What is the provider's fault never holds a key.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum CoolingReason {
    /// A rate limit.
    RateLimited,
    /// Refused, not confirmed, or no permission for the model.
    Refused,
}

/// How a provider's endpoint answers a pod.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum EndpointState {
    /// It answered.
    Reachable,
    /// The connection was refused, reset or timed out.
    Refused,
    /// Its name does not resolve.
    DnsFailed,
    /// Its certificate is not trusted, not for this name or expired.
    TlsInvalid,
    /// It answers, and sheds load or fails.
    Overloaded,
}

/// A merged verdict of other pods, given to a pod that uses the same provider.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Advisory {
    /// The verdict that it hands on; a refutation names this.
    pub id: VerdictId,
    /// The provider.
    pub provider: ProviderUid,
    /// `Cooling`, `Exhausted` or `Invalid`.
    pub finding: Finding,
}

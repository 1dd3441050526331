//! What both kinds use: references, headers, durations, the summary of keys, annotations and limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod duration;
pub mod header;
mod key_summary;
mod rule;
pub mod text;

pub use duration::{Duration, DurationError};
pub use header::Header;
pub use key_summary::KeySummary;
pub(crate) use rule::{rule, rule_at};

/// Annotation on both kinds. `"true"`: the operator writes no child of the object; health is still reported.
pub const PAUSED: &str = "keypool.dev/paused";
/// Annotation on both kinds. A new value forces one full pass.
pub const RECONCILE_REQUESTED_AT: &str = "keypool.dev/reconcile-requested-at";
/// Annotation on a ModelProvider, `<token>` or `<token>:<credential names>`. A new value ends cooldowns once.
pub const CLEAR_COOLDOWN: &str = "keypool.dev/clear-cooldown";
/// Annotation on a Secret: the hosts (`host` or `host:port`, separated by commas) that its values may be sent to.
pub const ALLOWED_HOSTS: &str = "keypool.dev/allowed-hosts";

/// The longest name of either kind: children append to it and must stay within 63 characters.
pub const MAX_NAME_LENGTH: usize = 50;
/// The most credentials of one provider.
pub const MAX_CREDENTIALS: usize = 256;
/// The most members of one group.
pub const MAX_MEMBERS: usize = 32;
/// The most entries of `status.keys[].models`.
pub const MAX_KEY_MODELS: usize = 8;
/// The most names in `status.usedBy.groups`.
pub const MAX_USED_BY: usize = 32;
/// The longest annotation value that the status remembers; what is longer is cut there.
pub const MAX_HANDLED_LENGTH: usize = 1024;

/// One data key of a Secret in the same namespace.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret, in the namespace of this object. A Secret that is not there, or not there yet, makes ResolvedRefs
    /// False and takes only this entry out of use.
    #[schemars(length(min = 1, max = 253), regex(pattern = text::SUBDOMAIN))]
    pub name: String,
    /// Data key in the Secret whose value is used. One trailing newline of the value is ignored.
    #[schemars(length(min = 1, max = 253), regex(pattern = text::DATA_KEY))]
    pub key: String,
}

/// One data key of a ConfigMap in the same namespace.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap, in the namespace of this object.
    #[schemars(length(min = 1, max = 253), regex(pattern = text::SUBDOMAIN))]
    pub name: String,
    /// Data key in the ConfigMap. Left out: `ca.crt`.
    #[serde(default = "ca_crt")]
    #[schemars(length(min = 1, max = 253), regex(pattern = text::DATA_KEY))]
    pub key: String,
}

fn ca_crt() -> String {
    "ca.crt".into()
}

/// An object in the same namespace, by its name.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalObjectRef {
    /// Name of the object, in the namespace of this one.
    #[schemars(length(min = 1, max = 253), regex(pattern = text::SUBDOMAIN))]
    pub name: String,
}

/// `default` of a switch that is on.
pub(super) fn yes() -> bool {
    true
}

/// `default` of a weight.
pub(super) fn one() -> i32 {
    1
}

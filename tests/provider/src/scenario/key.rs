//! Keys and the limits of their quota groups.

use serde::{Deserialize, Serialize};

use super::Patterns;
use crate::vendor::ErrorKind;

/// One API key the provider knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// The name under which it is recorded and scripted.
    pub name: String,
    /// The secret itself.
    pub value: String,
    /// The account whose limits it shares. Left out: its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether it works.
    #[serde(default)]
    pub state: KeyState,
    /// Models it may use. Empty: all.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub models: Patterns,
}

impl Key {
    /// An active key.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            ..Self::default()
        }
    }

    /// The quota group that counts for it.
    pub fn quota_group(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.name)
    }
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyState {
    /// Works.
    #[default]
    Active,
    /// 401 `invalid_api_key`, as for a key that never existed.
    Revoked,
    /// 401 `account_deactivated`.
    Deactivated,
    /// Inference works, listing models answers 403 for missing scopes.
    ListForbidden,
    /// Inference works, listing models answers 401 for missing scopes.
    ListUnauthorized,
    /// Every request gets this error.
    Refused(ErrorKind),
}

/// A limit that really counts, per quota group and model. Several may apply to a request; it must pass all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limit {
    /// Quota groups it is for. Empty: each.
    pub group: Patterns,
    /// Models it is for. Empty: each.
    pub model: Patterns,
    /// One bucket for all matching models instead of one for each.
    pub shared: bool,
    /// Requests in a window.
    pub requests_per_minute: Option<u64>,
    /// Tokens in a window: a quarter of the body's bytes, and what the answer has or `max_tokens` allows.
    pub tokens_per_minute: Option<u64>,
    /// Requests at a time.
    pub concurrency: Option<u64>,
    /// The window, if another than a minute.
    pub window_ms: Option<u64>,
}

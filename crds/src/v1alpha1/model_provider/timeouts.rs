//! How long the proxies wait for a provider.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::shared::Duration;

/// How long the proxies wait for a provider.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timeouts {
    /// Longest wait for a connection, TLS included. Left out: 5s.
    #[serde(default = "connect")]
    pub connect: Duration,
    /// Longest wait for the first event of a streamed answer. Left out: 120s.
    #[serde(default = "first_event")]
    pub first_event: Duration,
    /// Longest wait for the whole of an answer that is not streamed; a reasoning model sends nothing before it is done. Left
    /// out: 600s.
    #[serde(default = "response")]
    pub response: Duration,
    /// Longest silence between two parts of an answer. Left out: 120s.
    #[serde(default = "idle")]
    pub idle: Duration,
}

fn connect() -> Duration {
    Duration::new("5s")
}

fn first_event() -> Duration {
    Duration::new("120s")
}

fn response() -> Duration {
    Duration::new("600s")
}

fn idle() -> Duration {
    Duration::new("120s")
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: connect(),
            first_event: first_event(),
            response: response(),
            idle: idle(),
        }
    }
}

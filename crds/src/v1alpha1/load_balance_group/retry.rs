//! When a request that failed is sent again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::shared::Duration;

/// When a request that failed is sent again. A key that refuses a request is always replaced by another one at once; this is about
/// failures of the provider.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retry {
    /// The most attempts of one request that failures of providers may use up, the first included, 1 to 10. 1: no retry.
    /// Left out: 3.
    #[serde(default = "attempts")]
    #[schemars(range(min = 1, max = 10))]
    pub attempts: i32,
    /// Time after the start of a request from which on no further attempt starts. Left out: 60s.
    #[serde(default = "deadline")]
    pub deadline: Duration,
    /// What happens when a request was sent and no answer came, so that the provider may have worked on it. Never: the client
    /// gets an error. Allow: it is sent again, and may be worked on and charged twice. Left out: Never.
    #[serde(default)]
    pub ambiguous: Ambiguous,
}

fn attempts() -> i32 {
    3
}

fn deadline() -> Duration {
    Duration::new("60s")
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: attempts(),
            deadline: deadline(),
            ambiguous: Ambiguous::default(),
        }
    }
}

/// Whether a request is repeated that the provider may have worked on.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
pub enum Ambiguous {
    /// It is not.
    #[default]
    Never,
    /// It is.
    Allow,
}

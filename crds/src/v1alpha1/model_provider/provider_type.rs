//! The kinds of upstream services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of service a provider is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
pub enum ProviderType {
    /// The OpenAI API.
    OpenAI,
    /// A server that speaks OpenAI's API.
    OpenAICompatible,
}

impl ProviderType {
    /// The name as it stands in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAI => "OpenAI",
            Self::OpenAICompatible => "OpenAICompatible",
        }
    }

    /// The base URL that the vendor documents for its SDK; none where every installation has its own.
    pub const fn default_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAI => Some("https://api.openai.com/v1"),
            Self::OpenAICompatible => None,
        }
    }

    /// Whether people run it themselves: `http://` and doing without credentials are accepted then.
    pub const fn self_hosted(self) -> bool {
        match self {
            Self::OpenAI => false,
            Self::OpenAICompatible => true,
        }
    }
}

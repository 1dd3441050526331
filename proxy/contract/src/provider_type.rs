//! Which wire protocol a provider speaks.

use serde::{Deserialize, Serialize};

/// The closed set of provider types; a new one does not compile until every side answers for it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum ProviderType {
    /// OpenAI's own API, `https://api.openai.com/v1`.
    OpenAI,
    /// A server that speaks OpenAI's protocol: vLLM, a gateway, an own service.
    OpenAICompatible,
}

impl ProviderType {
    /// Whether the user runs the server: such a provider may be reached by plain HTTP and may need no key.
    pub fn self_hosted(self) -> bool {
        match self {
            Self::OpenAI => false,
            Self::OpenAICompatible => true,
        }
    }
}

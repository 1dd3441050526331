//! The free validation call: is this key alive? Never a paid completion.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, StatusCode};
use keypool_contract::ProviderType;

use crate::outcome::BODY_LIMIT;
use crate::provider;

/// How a provider's keys are validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeCall {
    /// The method.
    pub method: Method,
    /// What is appended to the provider's base path.
    pub suffix: &'static str,
}

/// What a validation call showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// The key is accepted.
    Valid,
    /// The key is refused, with a dead key's code (or a 401 where the server sends no codes).
    Dead {
        /// The code, from a closed set.
        code: &'static str,
    },
    /// Answered, and it proves nothing about the key: 403, missing scopes, a server without this call.
    NotVerifiable,
    /// Limited: says nothing about the key.
    RateLimited {
        /// When it may be asked again.
        hint: Option<Duration>,
    },
    /// The key is known and its account is empty.
    CreditExhausted,
    /// The provider failed or something else answered: says nothing about the key.
    ServerFault,
}

/// The validation call of a provider type.
pub fn call(provider: ProviderType) -> ProbeCall {
    match provider {
        ProviderType::OpenAI | ProviderType::OpenAICompatible => ProbeCall {
            method: Method::GET,
            suffix: "/models",
        },
    }
}

/// What the answer to [`call`] shows. A call without an answer (connect, TLS, timeout) is the caller's to judge: it
/// is the endpoint's fault and never the key's.
pub fn interpret(
    provider: ProviderType,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> ProbeVerdict {
    provider::probed(
        provider,
        status,
        headers,
        body.get(..BODY_LIMIT).unwrap_or(body),
        now,
    )
}

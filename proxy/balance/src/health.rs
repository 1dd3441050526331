//! What is known about every key, as people read it.

use std::sync::Arc;

use crate::time::Time;

/// Health of one provider as this process sees it, advisories included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProviderHealth {
    /// UID of the provider.
    pub uid: Arc<str>,
    /// Its endpoint.
    pub endpoint: EndpointHealth,
    /// Its credentials, in the configuration's order.
    pub credentials: Vec<CredentialHealth>,
}

/// Health of an endpoint, from this process's own attempts and probes alone.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EndpointHealth {
    /// How it answered last; none before the first try.
    pub state: Option<EndpointState>,
    /// Since when it has this state.
    pub since: Time,
    /// The last try that ended.
    pub tried: Option<Time>,
    /// The last try that reached it.
    pub reached: Option<Time>,
    /// Until when its breaker (or the one of every model in use) lets nothing through; none when it is closed.
    pub open_until: Option<Time>,
}

/// How an endpoint answers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum EndpointState {
    /// It answers.
    Reachable,
    /// The connection is refused, reset or timed out, or our address is refused.
    Refused,
    /// Its name does not resolve.
    DnsFailed,
    /// Its certificate cannot be used.
    TlsInvalid,
    /// It answers, and sheds load or fails: a breaker is open.
    Overloaded,
}

/// Health of one credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialHealth {
    /// Name within the provider.
    pub name: Arc<str>,
    /// Its value.
    pub fingerprint: Arc<str>,
    /// Its quota group, where it has a name.
    pub quota_group: Option<Arc<str>>,
    /// State over all models in use.
    pub state: KeyState,
    /// Why.
    pub reason: KeyReason,
    /// Since when.
    pub since: Time,
    /// When the state ends by itself, where that is known.
    pub until: Option<Time>,
    /// Models in use that are not usable on this key while others are.
    pub models: Vec<ModelHealth>,
}

/// A model that a key cannot be used for just now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelHealth {
    /// The upstream model.
    pub model: Arc<str>,
    /// `CoolingDown` or `Exhausted`.
    pub state: KeyState,
    /// Why.
    pub reason: KeyReason,
    /// Until when.
    pub until: Option<Time>,
}

/// States of a key that a process can know; what concerns its source is the operator's to say.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KeyState {
    /// Never proven; used.
    Unknown,
    /// Proven, and nothing known against it.
    Healthy,
    /// No model in use is usable on it for a while.
    CoolingDown,
    /// Out of credit or plan.
    Exhausted,
    /// Refused for good.
    Invalid,
    /// Switched off or drained.
    Disabled,
}

/// Why a key has its state.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KeyReason {
    /// Unknown: no request yet.
    NotUsedYet,
    /// Unknown: the validation call could not tell.
    NotVerifiable,
    /// Unknown: no group uses the provider.
    NotInUse,
    /// Healthy: a success or a probe.
    Proven,
    /// Healthy: a rest is over, and nothing was sent since.
    CooldownOver,
    /// CoolingDown: a rate limit.
    RateLimited,
    /// CoolingDown: refused without confirmation.
    Refused,
    /// Exhausted.
    CreditExhausted,
    /// Invalid.
    RefusedByProvider,
    /// Disabled by the user.
    Disabled,
    /// Weight 0.
    Drained,
}

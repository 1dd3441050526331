//! Version `keypool.dev/v1alpha1`: `ModelProvider` and `LoadBalanceGroup`.

pub mod conditions;
pub mod load_balance_group;
pub mod model_provider;
pub mod shared;

pub use conditions::{
    ConditionStatus, ConditionType, KeyReason, KeyState, MemberReason, MemberState, Reason,
};
pub use load_balance_group::{
    Ambiguous, ClientAccess, ClientKey, ConfigError, ConfigStatus, LoadBalanceGroup, LoadBalanceGroupSpec,
    LoadBalanceGroupStatus, Member, MemberStatus, MemberSummary, ProviderRef, Proxy, Resources, Retry,
    Strategy, StrategyType, UnknownModel,
};
pub use model_provider::{
    Cooldown, Credential, CredentialState, Endpoint, Health, KeyModelStatus, KeyStatus, ModelProvider,
    ModelProviderSpec, ModelProviderStatus, Probe, ProviderType, Reporting, Timeouts, UsedBy,
};
pub use shared::{
    ConfigMapKeyRef, Duration, DurationError, Header, KeySummary, LocalObjectRef, SecretKeyRef,
};

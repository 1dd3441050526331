//! What to balance, as the caller's document says it. Names are for answers and health; identity is the provider's UID and the
//! credential's fingerprint.

use std::sync::Arc;
use std::time::Duration;

/// Everything that is balanced. The order of its lists gives the indices of [`crate::Pick`] and changes nothing else.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Config {
    /// The providers that the groups' members use.
    pub providers: Vec<ProviderConfig>,
    /// The groups.
    pub groups: Vec<GroupConfig>,
}

/// One provider and its pool of credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProviderConfig {
    /// Identity: health belongs to it.
    pub uid: Arc<str>,
    /// How long a limited key rests.
    pub cooldown: CooldownConfig,
    /// Time between two validation calls for a key that is out; none where the provider has no free call or probing is off. Then
    /// a second refused request confirms.
    pub probe_interval: Option<Duration>,
    /// How long a trial of a streamed request holds its lease: the first-event timeout.
    pub stream_lease: Duration,
    /// How long a trial of a request that is not streamed holds its lease: the response timeout.
    pub response_lease: Duration,
    /// The credentials.
    pub credentials: Vec<CredentialConfig>,
}

/// How long a limited key rests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CooldownConfig {
    /// The first rest without a hint of the vendor.
    pub initial: Duration,
    /// No rest exceeds this (before jitter), hints included.
    pub max: Duration,
}

/// One named credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialConfig {
    /// Name within the provider.
    pub name: Arc<str>,
    /// Names the value.
    pub fingerprint: Arc<str>,
    /// Share among credentials of one priority; 0 takes nothing. At most [`MAX_WEIGHT`].
    pub weight: u32,
    /// Lower first.
    pub priority: u32,
    /// False when the user switched it off.
    pub enabled: bool,
    /// Credentials of one name share a vendor limit; without one, those of the same value do.
    pub quota_group: Option<Arc<str>>,
    /// Upstream models it may be used for; empty for all.
    pub models: Vec<Arc<str>>,
}

/// One balanced unit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupConfig {
    /// Its name.
    pub name: Arc<str>,
    /// What requests are balanced over; at most [`MAX_MEMBERS`].
    pub members: Vec<MemberConfig>,
    /// How a target is chosen within a priority.
    pub strategy: Strategy,
    /// When another attempt is made.
    pub retry: RetryConfig,
}

/// One provider with one upstream model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemberConfig {
    /// Name within the group.
    pub name: Arc<str>,
    /// UID of the provider.
    pub provider: Arc<str>,
    /// The model that the provider is asked for.
    pub model: Arc<str>,
    /// Lower first.
    pub priority: u32,
    /// Share within a priority; 0 takes nothing. At most [`MAX_WEIGHT`].
    pub weight: u32,
}

/// How a target is chosen within a priority.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Strategy {
    /// Each in turn; weights are ignored except 0.
    RoundRobin,
    /// In proportion to the weights, evenly spread.
    #[default]
    WeightedRoundRobin,
}

/// When another attempt is made for a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetryConfig {
    /// Attempts for a provider's faults, the first included.
    pub attempts: u32,
    /// No attempt starts later than this after the request's arrival.
    pub deadline: Duration,
    /// Whether a request that may have been worked on is sent once more.
    pub ambiguous: Ambiguous,
}

/// Whether a request that may have been worked on is sent again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ambiguous {
    /// Never: it may cost twice.
    #[default]
    Never,
    /// Once, elsewhere, within the retry budget.
    Allow,
}

/// The largest weight.
pub const MAX_WEIGHT: u32 = 1_000_000;
/// The most members of a group: a set of members is one machine word.
pub const MAX_MEMBERS: usize = 64;

/// Why a configuration cannot be balanced. Nothing of it was taken over.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// Two providers of one UID.
    #[error("provider {uid} stands twice")]
    DuplicateProvider {
        /// The UID.
        uid: Arc<str>,
    },
    /// A member names a provider that is not there.
    #[error("member {member} of group {group} names unknown provider {uid}")]
    UnknownProvider {
        /// The group.
        group: Arc<str>,
        /// Its member.
        member: Arc<str>,
        /// What it names.
        uid: Arc<str>,
    },
    /// More than [`MAX_MEMBERS`].
    #[error("group {group} has {count} members, more than {MAX_MEMBERS}")]
    TooManyMembers {
        /// The group.
        group: Arc<str>,
        /// How many.
        count: usize,
    },
    /// More than [`MAX_WEIGHT`].
    #[error("weight {weight} of {owner} is more than {MAX_WEIGHT}")]
    WeightTooLarge {
        /// Member or credential.
        owner: Arc<str>,
        /// Its weight.
        weight: u32,
    },
}

//! The states of a key and why it is in them.

use super::{checked, closed_set, open, set_schema};

closed_set! {
    /// The state of one credential, as the status tells it.
    KeyState, fallback Unknown, {
        /// This value has never been proven; it is used.
        Unknown,
        /// Proven by a success or a probe, and nothing known against it.
        Healthy,
        /// No model that a group's member uses through this provider is usable on this key for a while.
        CoolingDown,
        /// Credit or plan is used up.
        Exhausted,
        /// The provider refuses it and the refusal was confirmed.
        Invalid,
        /// The Secret or its data key is not there, or may not be used here.
        Missing,
        /// The value cannot be a key: empty, too long, or not a header value.
        Malformed,
        /// Switched off, or drained by weight 0.
        Disabled,
    }
}
set_schema!(KeyState, checked);

impl KeyState {
    /// Whether requests may be sent with the key now: Healthy and Unknown.
    pub const fn usable(self) -> bool {
        matches!(self, Self::Healthy | Self::Unknown)
    }

    /// Whether a person must mend it: what makes `KeysHealthy` and `MembersHealthy` False.
    pub const fn needs_a_person(self) -> bool {
        matches!(
            self,
            Self::Exhausted | Self::Invalid | Self::Missing | Self::Malformed
        )
    }
}

closed_set! {
    /// Why a key is in its state. The states that a reason goes with stand before it.
    KeyReason, fallback NotUsedYet, {
        /// Healthy: a success or a probe proved the value.
        Proven,
        /// Healthy: a cooldown is over.
        CooldownOver,
        /// Unknown: no request has shown anything yet.
        NotUsedYet,
        /// Unknown: the provider's free validation call proves nothing for this key.
        NotVerifiable,
        /// Unknown: no group uses the provider.
        NotInUse,
        /// CoolingDown: a rate or quota limit.
        RateLimited,
        /// CoolingDown: refused, not confirmed.
        Refused,
        /// Exhausted: credit or plan is used up.
        CreditExhausted,
        /// Invalid: the provider refuses it, and a probe or a second request confirmed that.
        RefusedByProvider,
        /// Missing: the Secret is not there.
        SecretNotFound,
        /// Missing: the Secret has no such data key.
        SecretKeyNotFound,
        /// Missing: the Secret must not be referenced (owned by Keypool, a token of the cluster, a Helm release), or the operator may
        /// not read it.
        RefNotPermitted,
        /// Missing: the Secret's `keypool.dev/allowed-hosts` does not name the endpoint's host.
        HostNotAllowed,
        /// Malformed: the value is empty.
        Empty,
        /// Malformed: the value holds bytes that a header cannot carry.
        NotAHeaderValue,
        /// Malformed: the value is longer than a key may be.
        TooLong,
        /// Disabled: `state: Disabled`.
        Disabled,
        /// Disabled: `weight: 0`.
        Drained,
    }
}
set_schema!(KeyReason, open);

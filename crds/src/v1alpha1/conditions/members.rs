//! The states of a group's member and why it is in them.

use super::{checked, closed_set, open, set_schema};

closed_set! {
    /// The state of one member of a group.
    MemberState, fallback Unresolved, {
        /// All its keys are usable.
        Healthy,
        /// Some of its keys are usable.
        Degraded,
        /// None is usable now, and at least one comes back by itself.
        CoolingDown,
        /// None is usable, and none comes back by itself, or the endpoint is not reached.
        Unusable,
        /// `weight: 0`: it takes no share.
        Drained,
        /// Its provider is not there or cannot be served.
        Unresolved,
    }
}
set_schema!(MemberState, checked);

closed_set! {
    /// Why a member is in its state. The state that a reason goes with stands before it.
    MemberReason, fallback ProviderNotFound, {
        /// Healthy.
        AllKeysUsable,
        /// Degraded: the rest is cooling down.
        SomeKeysCooling,
        /// Degraded: some of the rest waits for a person or is switched off.
        SomeKeysUnusable,
        /// CoolingDown.
        AllKeysCooling,
        /// Unusable: no key can serve.
        NoUsableKeys,
        /// Unusable: no proxy reaches the provider.
        EndpointUnhealthy,
        /// Drained.
        Drained,
        /// Unresolved: there is no such ModelProvider.
        ProviderNotFound,
        /// Unresolved: the ModelProvider's `Accepted` is False.
        ProviderNotAccepted,
    }
}
set_schema!(MemberReason, open);

//! The reasons of all conditions.

use super::closed_set;

closed_set! {
    /// The reason of a condition. The condition types that use it stand before it; `Ready` and `Stalled` repeat the reason of
    /// the condition that decides them.
    Reason, fallback Pending, {
        /// Any, before the operator saw the object: the CRD's default.
        Pending,
        /// Accepted: True.
        Accepted,
        /// Accepted: a value or a combination of values cannot be served.
        InvalidSpec,
        /// Accepted: a value that this build does not know, left by a newer one.
        UnsupportedValue,
        /// Accepted: two credentials refer to the same data key of one Secret.
        DuplicateCredential,
        /// Accepted: a child's name is taken by an object that is not ours.
        NameConflict,
        /// Accepted: the configuration is larger than one Secret can carry.
        ConfigTooLarge,
        /// ResolvedRefs: True.
        ResolvedRefs,
        /// ResolvedRefs: a Secret is not there.
        SecretNotFound,
        /// ResolvedRefs: a Secret has no such data key.
        SecretKeyNotFound,
        /// ResolvedRefs: a referenced value cannot be used for what it is referenced for.
        MalformedValue,
        /// ResolvedRefs: a Secret that must not be referenced (owned by Keypool, a token of the cluster, a Helm release), or that the
        /// operator may not read.
        RefNotPermitted,
        /// ResolvedRefs: the Secret's `keypool.dev/allowed-hosts` does not name the endpoint's host.
        HostNotAllowed,
        /// ResolvedRefs: a ModelProvider is not there.
        ProviderNotFound,
        /// ResolvedRefs: a ConfigMap or its data key is not there.
        ConfigMapNotFound,
        /// EndpointHealthy: True.
        Reachable,
        /// EndpointHealthy: connections are refused or time out.
        Refused,
        /// EndpointHealthy: the host name does not resolve.
        DnsFailed,
        /// EndpointHealthy: the certificate is not trusted, expired, or of another name.
        TlsInvalid,
        /// EndpointHealthy: the provider answers that it is overloaded.
        Overloaded,
        /// EndpointHealthy, KeysHealthy, MembersHealthy: no proxy pod reports.
        NoReporters,
        /// EndpointHealthy, KeysHealthy: no group uses the provider.
        NotInUse,
        /// KeysHealthy: True, all usable.
        AllKeysUsable,
        /// KeysHealthy: True, the rest cools down.
        SomeKeysCooling,
        /// KeysHealthy: the provider refuses keys.
        InvalidKeys,
        /// KeysHealthy: credit or plan of keys is used up.
        ExhaustedKeys,
        /// KeysHealthy: values of keys are not there.
        MissingKeys,
        /// KeysHealthy: values of keys cannot be keys.
        MalformedKeys,
        /// KeysHealthy: no key is left that can serve, for several of these reasons.
        NoUsableKeys,
        /// Programmed: True.
        Programmed,
        /// Programmed: pods have not acknowledged the current document yet.
        AwaitingAcknowledgement,
        /// Programmed: pods refused the current document; the last good one keeps serving.
        ConfigRejected,
        /// Programmed: the operator has no exchange with pods.
        AdminUnreachable,
        /// Programmed: there is no pod.
        NoProxies,
        /// Programmed, Available: `proxy.replicas` is 0.
        ScaledToZero,
        /// Available: True.
        Available,
        /// Available: no proxy pod is ready.
        NoReadyProxies,
        /// Available: no target can serve.
        NoUsableTargets,
        /// MembersHealthy: True.
        AllMembersUsable,
        /// MembersHealthy: members wait for a person.
        SomeMembersUnusable,
        /// MembersHealthy: no member is left that can serve.
        NoUsableMembers,
        /// Ready: True.
        Ready,
        /// Reconciling: True.
        Progressing,
        /// Paused: True.
        Paused,
    }
}

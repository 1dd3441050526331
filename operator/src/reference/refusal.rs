//! Why a reference does not resolve, and what a person does about it.

use keypool_contract::secret::MalformedKey;
use keypool_crds::v1alpha1::shared::ALLOWED_HOSTS;
use keypool_crds::v1alpha1::{KeyReason, KeyState, Reason};

use super::{Kind, Reference};
use crate::conditions::{Check, sentences};
use crate::moment::Monotonic;

/// A reference that does not resolve.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// What was named.
    pub reference: Reference,
    /// The data key in it.
    pub key: String,
    /// What is wrong.
    pub cause: Cause,
}

/// What is wrong with a reference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The object is not there.
    NotFound {
        /// Until when it may come back as if nothing had happened; none when that time is over.
        grace_until: Option<Monotonic>,
    },
    /// The object has no such data key.
    KeyNotFound,
    /// The value cannot be a key.
    Malformed(MalformedKey),
    /// The value is no list of certificates.
    NoCertificates,
    /// A Secret that Keypool owns.
    OwnedByKeypool,
    /// A token of a ServiceAccount or of a joining node.
    ClusterToken,
    /// A Helm release.
    HelmRelease,
    /// The operator may not read it.
    Unreadable,
    /// The Secret says where its values may go, and this host is not among it.
    HostNotAllowed {
        /// Host and port of the provider.
        authority: String,
    },
    /// The installation requires that the Secret says where its values may go, and it does not.
    HostsRequired {
        /// Host and port of the provider.
        authority: String,
    },
}

impl Refusal {
    /// The reason for `ResolvedRefs`.
    pub fn reason(&self) -> Reason {
        match (&self.cause, self.reference.kind) {
            (Cause::NotFound { .. } | Cause::KeyNotFound, Kind::ConfigMap) => Reason::ConfigMapNotFound,
            (Cause::NotFound { .. }, Kind::Secret) => Reason::SecretNotFound,
            (Cause::KeyNotFound, Kind::Secret) => Reason::SecretKeyNotFound,
            (Cause::Malformed(_) | Cause::NoCertificates, _) => Reason::MalformedValue,
            (Cause::OwnedByKeypool | Cause::ClusterToken | Cause::HelmRelease | Cause::Unreadable, _) => {
                Reason::RefNotPermitted
            }
            (Cause::HostNotAllowed { .. } | Cause::HostsRequired { .. }, _) => Reason::HostNotAllowed,
        }
    }

    /// State and reason of the key whose value this was to be.
    pub fn key_state(&self) -> (KeyState, KeyReason) {
        match &self.cause {
            Cause::KeyNotFound => (KeyState::Missing, KeyReason::SecretKeyNotFound),
            Cause::Malformed(MalformedKey::Empty) => (KeyState::Malformed, KeyReason::Empty),
            Cause::Malformed(MalformedKey::NotAHeaderValue) | Cause::NoCertificates => {
                (KeyState::Malformed, KeyReason::NotAHeaderValue)
            }
            Cause::Malformed(MalformedKey::TooLong) => (KeyState::Malformed, KeyReason::TooLong),
            Cause::NotFound { .. } => (KeyState::Missing, KeyReason::SecretNotFound),
            Cause::OwnedByKeypool | Cause::ClusterToken | Cause::HelmRelease | Cause::Unreadable => {
                (KeyState::Missing, KeyReason::RefNotPermitted)
            }
            Cause::HostNotAllowed { .. } | Cause::HostsRequired { .. } => {
                (KeyState::Missing, KeyReason::HostNotAllowed)
            }
        }
    }

    /// Until when the object may come back as if nothing had happened.
    pub fn grace_until(&self) -> Option<Monotonic> {
        match self.cause {
            Cause::NotFound { grace_until } => grace_until,
            _ => None,
        }
    }

    /// What is wrong and what to do, without a full stop.
    pub fn sentence(&self) -> String {
        let (object, key) = (&self.reference, &self.key);
        match &self.cause {
            Cause::NotFound { .. } => format!("{object} does not exist; create it in this namespace"),
            Cause::KeyNotFound => format!("{object} has no key {key}; add it"),
            Cause::Malformed(MalformedKey::Empty) => {
                format!("{object}, key {key}, is empty; put the value in")
            }
            Cause::Malformed(MalformedKey::NotAHeaderValue) => format!(
                "{object}, key {key}, holds line breaks, outer spaces or characters beyond ASCII; store the bare key"
            ),
            Cause::Malformed(MalformedKey::TooLong) => {
                format!("{object}, key {key}, is too long for a key; store the bare key")
            }
            Cause::NoCertificates => format!(
                "{object}, key {key}, holds no usable certificate; store the authority's certificates there as PEM"
            ),
            Cause::OwnedByKeypool => {
                format!("{object} belongs to Keypool and is never a source; refer to a Secret of your own")
            }
            Cause::ClusterToken => {
                format!(
                    "{object} is a token of the cluster and is never a source; refer to a Secret of your own"
                )
            }
            Cause::HelmRelease => {
                format!("{object} is a Helm release and is never a source; refer to a Secret of your own")
            }
            Cause::Unreadable => {
                format!(
                    "the operator may not read {object}; grant it get on this Secret, or refer to another"
                )
            }
            Cause::HostNotAllowed { authority } => format!(
                "{object} may not be sent to {authority}; add the host to its annotation {ALLOWED_HOSTS}, or correct endpoint.url"
            ),
            Cause::HostsRequired { authority } => format!(
                "{object} does not say where its values may be sent; annotate it with {ALLOWED_HOSTS}: {authority}"
            ),
        }
    }
}

/// The condition `ResolvedRefs`, and whether it may still hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefsCheck {
    /// What the references say now.
    pub check: Check,
    /// Set when all that is wrong are objects that may come back as if nothing had happened: until then, a condition that was True
    /// stays so. The earliest end of such a wait.
    pub grace_until: Option<Monotonic>,
}

/// One reference that does not resolve.
pub(crate) struct Problem {
    pub(crate) reason: Reason,
    pub(crate) sentence: String,
    pub(crate) grace_until: Option<Monotonic>,
}

impl Problem {
    pub(crate) fn of(field: &str, refusal: &Refusal) -> Self {
        Self {
            reason: refusal.reason(),
            sentence: format!("{field}: {}", refusal.sentence()),
            grace_until: refusal.grace_until(),
        }
    }
}

impl RefsCheck {
    pub(crate) fn of(problems: &[Problem]) -> Self {
        let check = match problems.first() {
            None => Check::yes(Reason::ResolvedRefs, "every reference resolves"),
            Some(first) => {
                let texts: Vec<String> = problems.iter().map(|problem| problem.sentence.clone()).collect();
                Check::no(first.reason, sentences(&texts))
            }
        };
        let ends: Option<Vec<Monotonic>> = problems.iter().map(|problem| problem.grace_until).collect();
        Self {
            check,
            grace_until: ends.and_then(|ends| ends.into_iter().min()),
        }
    }

    /// What the condition says, given what it said before.
    pub fn after(&self, before: Option<Check>) -> Check {
        match before {
            Some(before) if before.holds() && self.grace_until.is_some() => before,
            _ => self.check.clone(),
        }
    }
}

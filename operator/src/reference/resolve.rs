//! The decision: a value, or why not.

use keypool_contract::Secret;
use keypool_crds::GROUP;
use keypool_crds::v1alpha1::shared::{ALLOWED_HOSTS, ConfigMapKeyRef, SecretKeyRef};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Cause, Fetched, Lookup, MISSING_GRACE, Object, Reference, Refusal, hosts};
use crate::controller::load_balance_group::build::MANAGED_BY;
use crate::controller::model_provider::Url;
use crate::identity::IDENTITY_SECRET;
use crate::install::Install;
use crate::moment::Monotonic;

/// What a Secret's value is wanted for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// It is sent to a provider.
    ProviderKey {
        /// Where it would go.
        url: &'a Url,
    },
    /// Clients present it; only its hash leaves the operator.
    ClientKey,
}

/// The value of a Secret's data key.
///
/// # Errors
/// Why it may not or cannot be used.
pub fn secret_value(
    fetched: &Fetched,
    namespace: &str,
    wanted: &SecretKeyRef,
    purpose: Purpose<'_>,
    install: &Install,
    now: Monotonic,
) -> Result<Secret, Refusal> {
    let reference = Reference::secret(namespace, &wanted.name);
    let refuse = |cause| Refusal {
        reference: reference.clone(),
        key: wanted.key.clone(),
        cause,
    };
    // Some Secrets are refused by their name alone: whether they exist is not told either.
    never_a_source_by_name(&wanted.name)
        .map_or(Ok(()), Err)
        .map_err(refuse)?;
    let secret = look_up(fetched, &reference, now).map_err(refuse)?;
    never_a_source(secret).map_or(Ok(()), Err).map_err(refuse)?;
    if let Purpose::ProviderKey { url } = purpose {
        may_go_to(secret, url, install).map_err(refuse)?;
    }
    let bytes = secret
        .data
        .get(&wanted.key)
        .ok_or(Cause::KeyNotFound)
        .map_err(refuse)?;
    Secret::parse(bytes).map_err(|malformed| refuse(Cause::Malformed(malformed)))
}

/// The certificates of a ConfigMap's data key, as PEM. Every one of them is readable: a proxy that could not read one would
/// refuse the whole document.
///
/// # Errors
/// Why it cannot be used.
pub fn ca_bundle(
    fetched: &Fetched,
    namespace: &str,
    wanted: &ConfigMapKeyRef,
    now: Monotonic,
) -> Result<String, Refusal> {
    let reference = Reference::config_map(namespace, &wanted.name);
    let refuse = |cause| Refusal {
        reference: reference.clone(),
        key: wanted.key.clone(),
        cause,
    };
    let map = look_up(fetched, &reference, now).map_err(refuse)?;
    let bytes = map
        .data
        .get(&wanted.key)
        .ok_or(Cause::KeyNotFound)
        .map_err(refuse)?;
    let text = std::str::from_utf8(bytes).map_err(|_| refuse(Cause::NoCertificates))?;
    if certificates(text) {
        Ok(text.to_owned())
    } else {
        Err(refuse(Cause::NoCertificates))
    }
}

fn certificates(pem: &str) -> bool {
    let mut roots = RootCertStore::empty();
    let readable = CertificateDer::pem_slice_iter(pem.as_bytes())
        .all(|certificate| certificate.is_ok_and(|certificate| roots.add(certificate).is_ok()));
    readable && !roots.is_empty()
}

fn look_up<'a>(fetched: &'a Fetched, reference: &Reference, now: Monotonic) -> Result<&'a Object, Cause> {
    match fetched.0.get(reference) {
        Some(Lookup::Found(object)) => Ok(object),
        Some(Lookup::NotFound { since }) => {
            let end = *since + MISSING_GRACE;
            Err(Cause::NotFound {
                grace_until: (now < end).then_some(end),
            })
        }
        Some(Lookup::Forbidden) => Err(Cause::Unreadable),
        None => Err(Cause::NotFound { grace_until: None }),
    }
}

fn never_a_source_by_name(name: &str) -> Option<Cause> {
    if name == IDENTITY_SECRET {
        Some(Cause::OwnedByKeypool)
    } else if name.starts_with("sh.helm.release.") {
        Some(Cause::HelmRelease)
    } else {
        None
    }
}

fn never_a_source(secret: &Object) -> Option<Cause> {
    let mut owner_groups = secret
        .owners
        .iter()
        .map(|owner| owner.api_version.split('/').next().unwrap_or_default());
    let managed_by = secret.labels.get("app.kubernetes.io/managed-by");
    if owner_groups.any(|group| group == GROUP) || managed_by.is_some_and(|by| by == MANAGED_BY) {
        return Some(Cause::OwnedByKeypool);
    }
    match secret.secret_type.as_deref() {
        Some("kubernetes.io/service-account-token" | "bootstrap.kubernetes.io/token") => {
            Some(Cause::ClusterToken)
        }
        Some(kind) if kind.starts_with("helm.sh/release") => Some(Cause::HelmRelease),
        _ => None,
    }
}

fn may_go_to(secret: &Object, url: &Url, install: &Install) -> Result<(), Cause> {
    let authority = || url.authority().to_owned();
    match secret.annotations.get(ALLOWED_HOSTS) {
        Some(entries) if hosts::allow(entries, url) => Ok(()),
        Some(_) => Err(Cause::HostNotAllowed {
            authority: authority(),
        }),
        None if install.require_allowed_hosts => Err(Cause::HostsRequired {
            authority: authority(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;

//! The conditions of a provider, one check each.

use keypool_contract::verdict::EndpointState;
use keypool_crds::v1alpha1::{KeyState, Reason};

use crate::conditions::{Check, count, sentences};
use crate::controller::model_provider::{
    KeyHealth, ProviderHealth, ProviderUse, ValidatedCredential, ValidatedProvider,
};

/// The object waits for a person.
pub(super) fn stalled(cause: Check) -> Check {
    Check::yes(cause.reason, cause.message)
}

/// Whether the proxies that tried reached the endpoint.
pub(super) fn endpoint_healthy(
    provider: &ValidatedProvider,
    state: Option<EndpointState>,
    used: &ProviderUse,
    before: Option<Check>,
) -> Check {
    let at = provider.url.authority();
    if used.groups.is_empty() {
        return Check::unknown(Reason::NotInUse, "no group uses this provider");
    }
    if used.reporters.silent() {
        return Check::unknown(Reason::NoReporters, "no proxy reports about this provider");
    }
    match state {
        Some(EndpointState::Reachable) => Check::yes(Reason::Reachable, format!("the proxies reach {at}")),
        Some(EndpointState::Refused) => Check::no(
            Reason::Refused,
            format!(
                "no proxy gets a connection to {at}; check endpoint.url, the server, and network policies for the proxies."
            ),
        ),
        Some(EndpointState::DnsFailed) => Check::no(
            Reason::DnsFailed,
            format!("the name of {at} does not resolve; check endpoint.url and the cluster's DNS."),
        ),
        Some(EndpointState::TlsInvalid) => Check::no(
            Reason::TlsInvalid,
            format!(
                "the certificate of {at} is not trusted, expired or of another name; check endpoint.url, endpoint.caBundleRef and the server's certificate."
            ),
        ),
        Some(EndpointState::Overloaded) => Check::no(
            Reason::Overloaded,
            format!("{at} answers, but fails or sheds load; the proxies try it again by themselves."),
        ),
        None => match before {
            Some(before) if known(&before) => before,
            _ => Check::unknown(Reason::NoReporters, format!("no proxy has tried {at} yet")),
        },
    }
}

fn known(check: &Check) -> bool {
    matches!(
        check.reason,
        Reason::Reachable | Reason::Refused | Reason::DnsFailed | Reason::TlsInvalid | Reason::Overloaded
    )
}

/// Whether no key waits for a person. A key that cools down is normal operation and only counted.
pub(super) fn keys_healthy(
    provider: &ValidatedProvider,
    health: &ProviderHealth,
    used: &ProviderUse,
) -> Check {
    if used.groups.is_empty() {
        return Check::unknown(Reason::NotInUse, "no group uses this provider");
    }
    let waiting: Vec<&KeyHealth> = health
        .keys
        .iter()
        .filter(|key| key.state.needs_a_person())
        .collect();
    // What a Secret holds is known without any report.
    let known_here = |key: &&&KeyHealth| matches!(key.state, KeyState::Missing | KeyState::Malformed);
    if used.reporters.silent() && waiting.iter().filter(known_here).count() == 0 {
        return Check::unknown(Reason::NoReporters, "no proxy reports about this provider");
    }
    let summary = health.summary();
    let cooling = (summary.cooling_down > 0).then(|| {
        format!(
            "{} cooling down",
            count(usize::try_from(summary.cooling_down).unwrap_or(0), "key")
        )
    });
    let nothing_left = summary.usable() == 0 && summary.cooling_down == 0;
    if waiting.is_empty() {
        return match cooling {
            _ if nothing_left => Check::no(
                Reason::NoUsableKeys,
                "every key is switched off or drained; give one state: Active and a weight.",
            ),
            Some(cooling) => Check::yes(Reason::SomeKeysCooling, cooling),
            None => Check::yes(Reason::AllKeysUsable, "every key can be used"),
        };
    }
    let texts: Vec<String> = waiting
        .iter()
        .map(|key| sentence(provider, key))
        .chain(cooling)
        .collect();
    Check::no(reason(&waiting, nothing_left), sentences(&texts))
}

/// The gravest that stands; several where nothing is left.
fn reason(waiting: &[&KeyHealth], nothing_left: bool) -> Reason {
    let kinds = [
        (KeyState::Invalid, Reason::InvalidKeys),
        (KeyState::Exhausted, Reason::ExhaustedKeys),
        (KeyState::Missing, Reason::MissingKeys),
        (KeyState::Malformed, Reason::MalformedKeys),
    ];
    let mut present = kinds
        .into_iter()
        .filter(|(state, _)| waiting.iter().any(|key| key.state == *state))
        .map(|(_, reason)| reason);
    match (present.next(), present.next()) {
        (Some(_), Some(_)) if nothing_left => Reason::NoUsableKeys,
        (Some(first), _) => first,
        (None, _) => Reason::NoUsableKeys,
    }
}

fn sentence(provider: &ValidatedProvider, key: &KeyHealth) -> String {
    let credential = provider
        .credentials
        .iter()
        .find(|credential| credential.name == key.name);
    let name = &key.name;
    let place = credential.map_or_else(String::new, place);
    match key.state {
        KeyState::Invalid => format!("{name} is refused by the provider; replace {place}"),
        KeyState::Exhausted => {
            format!("{name} has no credit or plan left; top up its account, or replace {place}")
        }
        _ => {
            let refusal = credential.and_then(|credential| credential.value.refusal());
            let why = refusal.map_or_else(|| "has no value".to_owned(), |refusal| refusal.sentence());
            format!("{name}: {why}")
        }
    }
}

/// Where a person finds the value.
pub(crate) fn place(credential: &ValidatedCredential) -> String {
    match &credential.source {
        Some(source) => format!("Secret {}, key {}", source.name, source.key),
        None => "the key".to_owned(),
    }
}

/// Accepted, and at least one credential resolves to a well-formed, enabled value.
pub(super) fn ready(
    provider: &ValidatedProvider,
    health: &ProviderHealth,
    refs: &Check,
    keys: &Check,
) -> Check {
    if !provider.accepted.holds() {
        return provider.accepted.clone();
    }
    // Without its authorities the endpoint is not served at all.
    let no_authorities = provider
        .ca_bundle
        .as_ref()
        .is_err_and(|refusal| refusal.grace_until().is_none());
    let has_value = health
        .keys
        .iter()
        .any(|key| key.state != KeyState::Disabled && key.fingerprint.is_some());
    if no_authorities || (!has_value && !refs.holds()) {
        return Check::no(refs.reason, refs.message.clone());
    }
    if !has_value {
        return Check::no(
            Reason::NoUsableKeys,
            "every key is switched off or drained; give one state: Active and a weight.",
        );
    }
    let usable = format!("{} keys usable", health.summary().display);
    let message = if keys.status == keypool_crds::v1alpha1::ConditionStatus::False {
        format!("{usable}. {}", keys.message)
    } else {
        usable
    };
    Check::yes(Reason::Ready, message)
}

//! Spec and fetched objects → a validated provider. Pure.
//!
//! The API server's rules refuse most of what is refused here; they are repeated because manifests also come from a directory
//! (local mode), and because an older CRD may have let something in. A problem of one reference never costs the others.

use std::collections::{BTreeMap, BTreeSet};

use keypool_contract::document::{Cooldown, Header, Probe, Timeouts};
use keypool_contract::limits::MAX_CREDENTIALS;
use keypool_contract::{ProviderType, Secret};
use keypool_crds::v1alpha1 as api;
use keypool_crds::v1alpha1::{ModelProvider, Reason};

use super::{InvalidProvider, ValidatedCredential, ValidatedProvider, Value};
use crate::conditions::{Check, count};
use crate::identity::{ANONYMOUS, NamespaceIdentity};
use crate::install::{Install, ObjectId};
use crate::moment::Moment;
use crate::reference::{Fetched, Problem, Purpose, RefsCheck, Refusal, ca_bundle, secret_value};

mod field;
pub mod url;

pub(crate) use field::{Invalid, milliseconds, name, ranged};
pub use url::Url;

/// What a validation looks at beside the object.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The Secrets and ConfigMaps that the specs name.
    pub fetched: &'a Fetched,
    /// The installation's settings.
    pub install: &'a Install,
    /// For fingerprints; of the object's namespace.
    pub identity: &'a NamespaceIdentity,
    /// Now.
    pub now: Moment,
}

/// Judges a provider.
///
/// # Errors
/// When nothing of it can be served.
pub fn validate(
    provider: &ModelProvider,
    around: &Surroundings<'_>,
) -> Result<ValidatedProvider, InvalidProvider> {
    validated(provider, around).map_err(|invalid| InvalidProvider {
        id: ObjectId::of(provider),
        generation: provider.metadata.generation.unwrap_or_default(),
        accepted: Check::no(invalid.reason, invalid.message),
    })
}

fn validated(provider: &ModelProvider, around: &Surroundings<'_>) -> Result<ValidatedProvider, Invalid> {
    let id = ObjectId::of(provider);
    let spec = &provider.spec;
    name(&id.name)?;
    let provider_type = provider_type(spec.type_);
    let url = url(spec)?;
    let headers = field::headers(spec.headers(), "endpoint.headers")?;
    let ca_bundle = match spec.endpoint.as_ref().and_then(|e| e.ca_bundle_ref.as_ref()) {
        Some(wanted) => ca_bundle(around.fetched, &id.namespace, wanted, around.now.monotonic).map(Some),
        None => Ok(None),
    };
    let credentials = credentials(spec, &id, &url, around)?;
    let accepted = accepted(&spec.credentials, &credentials);
    let resolved_refs = resolved_refs(ca_bundle.as_ref().err(), &credentials);
    Ok(ValidatedProvider {
        generation: provider.metadata.generation.unwrap_or_default(),
        provider_type,
        url,
        ca_bundle,
        headers,
        credentials,
        probe: probe(&spec.health.probe)?,
        cooldown: cooldown(&spec.health.cooldown)?,
        timeouts: timeouts(&spec.timeouts)?,
        accepted,
        resolved_refs,
        id,
    })
}

fn provider_type(of: api::ProviderType) -> ProviderType {
    match of {
        api::ProviderType::OpenAI => ProviderType::OpenAI,
        api::ProviderType::OpenAICompatible => ProviderType::OpenAICompatible,
    }
}

fn url(spec: &api::ModelProviderSpec) -> Result<Url, Invalid> {
    let text = spec.url().ok_or_else(|| {
        Invalid::spec(format!(
            "endpoint.url is required for type {}; set it to the base URL that the server documents for its SDK, version path included, such as http://vllm:8000/v1",
            spec.type_.as_str()
        ))
    })?;
    let url = Url::parse(text).map_err(|problem| {
        Invalid::spec(format!(
            "endpoint.url: {problem}; write https://host[:port][/path]"
        ))
    })?;
    if !url.is_https() && !spec.type_.self_hosted() {
        return Err(Invalid::spec(format!(
            "endpoint.url must be https:// for type {}, because http:// would send the keys unencrypted; use https://, or type OpenAICompatible for a server of your own",
            spec.type_.as_str()
        )));
    }
    Ok(url)
}

fn credentials(
    spec: &api::ModelProviderSpec,
    id: &ObjectId,
    url: &Url,
    around: &Surroundings<'_>,
) -> Result<Vec<ValidatedCredential>, Invalid> {
    if spec.credentials.is_empty() {
        return if spec.type_.self_hosted() {
            Ok(vec![anonymous()])
        } else {
            Err(Invalid::spec(format!(
                "credentials needs at least one entry for type {}; add one with name and secretKeyRef",
                spec.type_.as_str()
            )))
        };
    }
    if spec.credentials.len() > MAX_CREDENTIALS {
        return Err(Invalid::spec(format!(
            "credentials has {} entries; at most {MAX_CREDENTIALS} are served, use a second ModelProvider for the rest",
            spec.credentials.len()
        )));
    }
    let mut names = BTreeSet::new();
    let mut credentials = Vec::with_capacity(spec.credentials.len());
    for entry in &spec.credentials {
        if !names.insert(entry.name.as_str()) {
            return Err(Invalid {
                reason: Reason::DuplicateCredential,
                message: format!("credentials holds the name {} twice; rename one.", entry.name),
            });
        }
        credentials.push(credential(entry, id, url, around)?);
    }
    name_values(&mut credentials, around.identity);
    Ok(credentials)
}

fn anonymous() -> ValidatedCredential {
    ValidatedCredential {
        name: ANONYMOUS.into(),
        source: None,
        value: Value::Anonymous,
        weight: 1,
        priority: 0,
        enabled: true,
        quota_group: None,
        models: Vec::new(),
        headers: Vec::new(),
    }
}

fn credential(
    entry: &api::Credential,
    id: &ObjectId,
    url: &Url,
    around: &Surroundings<'_>,
) -> Result<ValidatedCredential, Invalid> {
    let path = format!("credentials[{}]", entry.name);
    let source = entry.secret_key_ref.clone().ok_or_else(|| {
        Invalid::spec(format!(
            "{path} needs a source of its value; set secretKeyRef with the name and key of a Secret"
        ))
    })?;
    let value = secret_value(
        around.fetched,
        &id.namespace,
        &source,
        Purpose::ProviderKey { url },
        around.install,
        around.now.monotonic,
    );
    Ok(ValidatedCredential {
        name: entry.name.clone(),
        source: Some(source),
        value: match value {
            // Named once all values are known.
            Ok(secret) => Value::Key {
                secret,
                fingerprint: String::new(),
            },
            Err(refusal) => Value::Refused(refusal),
        },
        weight: ranged(entry.weight, &format!("{path}.weight"))?,
        priority: ranged(entry.priority, &format!("{path}.priority"))?,
        enabled: entry.state == api::CredentialState::Active,
        quota_group: entry.quota_group.clone(),
        models: entry.models.clone(),
        headers: field::headers(&entry.headers, &format!("{path}.headers"))?,
    })
}

fn name_values(credentials: &mut [ValidatedCredential], identity: &NamespaceIdentity) {
    let values: Vec<Secret> = credentials
        .iter()
        .filter_map(|c| key(&c.value).cloned())
        .collect();
    let mut names = identity.fingerprints(&values).into_iter();
    for credential in credentials {
        if let Value::Key { fingerprint, .. } = &mut credential.value {
            *fingerprint = names.next().unwrap_or_default();
        }
    }
}

fn key(value: &Value) -> Option<&Secret> {
    match value {
        Value::Key { secret, .. } => Some(secret),
        Value::Anonymous | Value::Refused(_) => None,
    }
}

/// Two entries for one data key of one Secret are a slip of the pen: both are served, as one value, and the slip is told.
fn accepted(entries: &[api::Credential], credentials: &[ValidatedCredential]) -> Check {
    let mut by_source = BTreeMap::new();
    for entry in entries {
        if let Some(source) = &entry.secret_key_ref
            && let Some(first) = by_source.insert(source, &entry.name)
        {
            return Check::no(
                Reason::DuplicateCredential,
                format!(
                    "credentials[{first}] and credentials[{}] both name Secret {}, key {}; remove one, its share is the other's weight.",
                    entry.name, source.name, source.key
                ),
            );
        }
    }
    Check::yes(Reason::Accepted, count(credentials.len(), "credential"))
}

fn resolved_refs(bundle: Option<&Refusal>, credentials: &[ValidatedCredential]) -> RefsCheck {
    let bundle = bundle.map(|refusal| Problem::of("endpoint.caBundleRef", refusal));
    let keys = credentials.iter().filter_map(|credential| {
        let field = format!("credentials[{}].secretKeyRef", credential.name);
        Some(Problem::of(&field, credential.value.refusal()?))
    });
    RefsCheck::of(&bundle.into_iter().chain(keys).collect::<Vec<_>>())
}

/// As the definition's own rule has it; local mode has no API server.
const SHORTEST_PROBE_INTERVAL_MS: u64 = 1_000;

fn probe(of: &api::Probe) -> Result<Probe, Invalid> {
    let interval_ms = milliseconds(&of.interval, "health.probe.interval")?;
    if interval_ms < SHORTEST_PROBE_INTERVAL_MS {
        return Err(Invalid::spec(format!(
            "health.probe.interval ({}) must be at least 1s, because every call counts against the provider's limits; leave it out for 15m",
            of.interval
        )));
    }
    Ok(Probe {
        enabled: of.enabled,
        interval_ms,
        timeout_ms: milliseconds(&of.timeout, "health.probe.timeout")?,
    })
}

fn cooldown(of: &api::Cooldown) -> Result<Cooldown, Invalid> {
    let cooldown = Cooldown {
        initial_ms: milliseconds(&of.initial, "health.cooldown.initial")?,
        max_ms: milliseconds(&of.max, "health.cooldown.max")?,
    };
    if cooldown.initial_ms > cooldown.max_ms {
        return Err(Invalid::spec(format!(
            "health.cooldown.initial ({}) is longer than health.cooldown.max ({}); lower initial or raise max",
            of.initial, of.max
        )));
    }
    Ok(cooldown)
}

fn timeouts(of: &api::Timeouts) -> Result<Timeouts, Invalid> {
    Ok(Timeouts {
        connect_ms: milliseconds(&of.connect, "timeouts.connect")?,
        first_event_ms: milliseconds(&of.first_event, "timeouts.firstEvent")?,
        response_ms: milliseconds(&of.response, "timeouts.response")?,
        idle_ms: milliseconds(&of.idle, "timeouts.idle")?,
    })
}

/// A spec's header as the contract has it.
fn contract_header(header: &api::Header) -> Header {
    Header {
        name: header.name.clone(),
        value: header.value.clone(),
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;

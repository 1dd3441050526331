//! The document: content first, then its place in history.
//!
//! A generation counts contents: the same content is the same bytes, so that nothing is acknowledged twice. What a Secret or
//! ConfigMap that is away for a moment gave is taken over from the document before, as long as it would go to the same place.

use std::collections::BTreeMap;

use keypool_contract::document::{
    ClientAccess, ClientKey, Content, Credential, Document, Group, Member, Provider, ProviderUid,
};
use keypool_contract::limits::SCHEMA_VERSION;
use keypool_contract::{ClientKeyHash, ConfigError, Encoded};

use super::Inputs;
use crate::controller::load_balance_group::validate::GENERATED_KEY;
use crate::controller::load_balance_group::{MemberProvider, ValidatedGroup};
use crate::controller::model_provider::{ValidatedCredential, ValidatedProvider, Value};
use crate::ledger::DocumentScope;
use crate::material::Material;

/// The document that is to be stored, new or the same as before.
#[derive(Clone, Debug)]
pub struct NextDocument {
    /// What it says.
    pub document: Document,
    /// Its bytes.
    pub encoded: Encoded,
    /// The generation of the document that was the first of the group's current spec.
    pub spec_since: u64,
    /// False when the stored one is kept.
    pub changed: bool,
}

impl NextDocument {
    /// What the pods that run it may speak about.
    pub fn scope(&self) -> DocumentScope {
        DocumentScope::of(&self.document)
    }
}

pub(super) fn next(inputs: &Inputs<'_>) -> Result<NextDocument, ConfigError> {
    let stored = inputs
        .stored
        .filter(|stored| stored.document.stamp.lineage == inputs.material.lineage)
        .filter(|stored| stored.document.stamp.schema_version == SCHEMA_VERSION);
    let content = content(
        inputs.group,
        inputs.material,
        stored.map(|stored| &stored.document.content),
    );
    let last = stored.map_or(0, |stored| stored.document.stamp.generation);
    if let Some(stored) = stored
        && stored.document.content == content
        && last > inputs.reported
    {
        return Ok(NextDocument {
            document: stored.document.clone(),
            encoded: stored.encoded.clone(),
            spec_since: stored.spec_since,
            changed: false,
        });
    }
    let generation = last.max(inputs.reported).saturating_add(1);
    let same_spec =
        stored.filter(|stored| spec_generation(&stored.document.content) == spec_generation(&content));
    let document = Document::new(inputs.material.lineage.clone(), generation, content);
    Ok(NextDocument {
        encoded: Encoded::write(&document)?,
        document,
        spec_since: same_spec.map_or(generation, |stored| stored.spec_since),
        changed: true,
    })
}

fn spec_generation(content: &Content) -> Option<i64> {
    content.groups.first().map(|group| group.spec_generation)
}

/// What the document of a group says. `before` is what the last one said.
pub fn content(group: &ValidatedGroup, material: &Material, before: Option<&Content>) -> Content {
    let providers: BTreeMap<ProviderUid, Provider> = group
        .members
        .iter()
        .filter_map(|member| match group.provider_of(member) {
            MemberProvider::Served(served) => Some(served),
            MemberProvider::NotFound | MemberProvider::NotAccepted(_) | MemberProvider::NoAuthorities(_) => {
                None
            }
        })
        .filter_map(|served| {
            let before = before.and_then(|content| content.providers.get(&served.id.uid));
            Some((served.id.uid.clone(), provider(served, before)?))
        })
        .collect();
    let before_keys = before
        .and_then(|content| content.groups.first())
        .map_or(&[][..], |group| group.client_access.keys.as_slice());
    let members = members(group, &providers);
    Content {
        salt: material.salt.clone(),
        groups: vec![Group {
            namespace: group.id.namespace.clone(),
            name: group.id.name.clone(),
            spec_generation: group.generation,
            aliases: group.aliases.clone(),
            members,
            strategy: group.strategy,
            retry: group.retry.clone(),
            unknown_model: group.unknown_model,
            client_access: client_access(group, material, before_keys),
        }],
        providers,
    }
}

/// Members whose provider is not in the document are left out of it; the others keep serving.
fn members(group: &ValidatedGroup, providers: &BTreeMap<ProviderUid, Provider>) -> Vec<Member> {
    group
        .members
        .iter()
        .filter_map(|member| {
            let provider = group.providers.get(&member.provider)?.as_ref().ok()?;
            providers.contains_key(&provider.id.uid).then(|| Member {
                name: member.name.clone(),
                provider: provider.id.uid.clone(),
                model: member.model.clone(),
                priority: member.priority,
                weight: member.weight,
                aliases: member.aliases.clone(),
            })
        })
        .collect()
}

/// None while its authorities are away and were never known.
fn provider(served: &ValidatedProvider, before: Option<&Provider>) -> Option<Provider> {
    // A value is taken over only to where it went before.
    let before = before.filter(|before| before.url == served.url.as_str());
    let ca_bundle = match &served.ca_bundle {
        Ok(bundle) => bundle.clone(),
        Err(refusal) => {
            refusal.grace_until()?;
            Some(before?.ca_bundle.clone()?)
        }
    };
    Some(Provider {
        namespace: served.id.namespace.clone(),
        name: served.id.name.clone(),
        provider_type: served.provider_type,
        url: served.url.as_str().to_owned(),
        ca_bundle,
        headers: served.headers.clone(),
        credentials: served
            .credentials
            .iter()
            .filter_map(|entry| {
                let before = before
                    .iter()
                    .flat_map(|before| &before.credentials)
                    .find(|c| c.name == entry.name);
                credential(entry, before)
            })
            .collect(),
        probe: served.probe.clone(),
        cooldown: served.cooldown.clone(),
        timeouts: served.timeouts.clone(),
    })
}

/// None without a value.
fn credential(entry: &ValidatedCredential, before: Option<&Credential>) -> Option<Credential> {
    let (key, fingerprint) = match &entry.value {
        Value::Key { secret, fingerprint } => (Some(secret.clone()), fingerprint.clone()),
        Value::Anonymous => (None, crate::identity::ANONYMOUS.to_owned()),
        Value::Refused(refusal) => {
            refusal.grace_until()?;
            let before = before?;
            (before.key.clone(), before.fingerprint.clone())
        }
    };
    Some(Credential {
        name: entry.name.clone(),
        fingerprint,
        key,
        weight: entry.weight,
        priority: entry.priority,
        enabled: entry.enabled,
        quota_group: entry.quota_group.clone(),
        models: entry.models.clone(),
        headers: entry.headers.clone(),
    })
}

fn client_access(group: &ValidatedGroup, material: &Material, before: &[ClientKey]) -> ClientAccess {
    let access = &group.client_access;
    let hashed = |name: &str, key: &keypool_contract::Secret| ClientKey {
        name: name.to_owned(),
        hash: ClientKeyHash::of(&material.salt, key.expose().as_bytes()),
    };
    let generated = material.client_key.as_ref().filter(|_| access.generated);
    let own = access.keys.iter().map(|(name, key)| hashed(name, key));
    let away = before
        .iter()
        .filter(|key| access.away.contains(&key.name))
        .cloned();
    ClientAccess {
        insecure: access.insecure,
        keys: generated
            .map(|key| hashed(GENERATED_KEY, key))
            .into_iter()
            .chain(own)
            .chain(away)
            .collect(),
    }
}

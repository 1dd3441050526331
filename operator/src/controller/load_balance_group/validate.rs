//! Spec, providers and fetched objects → a validated group. Pure.
//!
//! A member whose provider cannot serve costs only that member. The group itself is refused only for what makes the whole
//! meaningless.

use std::collections::{BTreeMap, BTreeSet};

use keypool_contract::document::{Ambiguous, Retry, Strategy, UnknownModel};
use keypool_contract::limits::MAX_MEMBERS;
use keypool_crds::v1alpha1 as api;
use keypool_crds::v1alpha1::{LoadBalanceGroup, Reason};

use super::{
    InvalidGroup, MemberProvider, ValidatedClientAccess, ValidatedGroup, ValidatedMember, ValidatedProxy,
};
use crate::conditions::{Check, count};
use crate::controller::model_provider::validate::{Invalid, Surroundings, milliseconds, name, ranged};
use crate::controller::model_provider::{InvalidProvider, ValidatedProvider};
use crate::install::ObjectId;
use crate::reference::{Problem, Purpose, RefsCheck, Refusal, secret_value};

/// Name of the generated client key in the document and in logs.
pub const GENERATED_KEY: &str = "generated";

/// The providers that members name and that exist.
#[derive(Default)]
pub struct Providers {
    /// Those that were read, validated, by name.
    pub judged: BTreeMap<String, Result<ValidatedProvider, InvalidProvider>>,
    /// Names of those that were never read.
    pub unreadable: BTreeSet<String>,
}

/// Where everything can be read.
impl FromIterator<(String, Result<ValidatedProvider, InvalidProvider>)> for Providers {
    fn from_iter<I>(judged: I) -> Self
    where
        I: IntoIterator<Item = (String, Result<ValidatedProvider, InvalidProvider>)>,
    {
        Self {
            judged: judged.into_iter().collect(),
            unreadable: BTreeSet::new(),
        }
    }
}

/// Judges a group.
///
/// # Errors
/// When nothing of it can be served.
pub fn validate(
    group: &LoadBalanceGroup,
    providers: Providers,
    around: &Surroundings<'_>,
) -> Result<ValidatedGroup, InvalidGroup> {
    validated(group, providers, around).map_err(|invalid| InvalidGroup {
        id: ObjectId::of(group),
        generation: group.metadata.generation.unwrap_or_default(),
        accepted: Check::no(invalid.reason, invalid.message),
    })
}

fn validated(
    group: &LoadBalanceGroup,
    providers: Providers,
    around: &Surroundings<'_>,
) -> Result<ValidatedGroup, Invalid> {
    let id = ObjectId::of(group);
    let spec = &group.spec;
    name(&id.name)?;
    let members = members(&spec.members)?;
    all_read(&members, &providers.unreadable)?;
    let (client_access, refusals) = client_access(&spec.client_access, &id, around)?;
    let mut validated = ValidatedGroup {
        generation: group.metadata.generation.unwrap_or_default(),
        aliases: spec.aliases.clone(),
        strategy: match spec.strategy.type_ {
            api::StrategyType::RoundRobin => Strategy::RoundRobin,
            api::StrategyType::WeightedRoundRobin => Strategy::WeightedRoundRobin,
        },
        retry: retry(&spec.retry)?,
        unknown_model: match spec.unknown_model {
            api::UnknownModel::Reject => UnknownModel::Reject,
            api::UnknownModel::Balance => UnknownModel::Balance,
        },
        client_access,
        proxy: proxy(&spec.proxy)?,
        accepted: Check::yes(Reason::Accepted, count(members.len(), "member")),
        resolved_refs: RefsCheck::of(&[]),
        members,
        providers: providers.judged,
        id,
    };
    validated.resolved_refs = resolved_refs(&validated, &refusals);
    Ok(validated)
}

fn members(entries: &[api::Member]) -> Result<Vec<ValidatedMember>, Invalid> {
    if entries.is_empty() || entries.len() > MAX_MEMBERS {
        return Err(Invalid::spec(format!(
            "members has {} entries; write 1 to {MAX_MEMBERS}, each with name, providerRef and model",
            entries.len()
        )));
    }
    let mut names = BTreeSet::new();
    entries
        .iter()
        .map(|entry| {
            if !names.insert(&entry.name) {
                return Err(Invalid::spec(format!(
                    "members holds the name {} twice; rename one",
                    entry.name
                )));
            }
            let path = format!("members[{}]", entry.name);
            Ok(ValidatedMember {
                name: entry.name.clone(),
                provider: entry.provider_ref.name.clone(),
                model: entry.model.clone(),
                priority: ranged(entry.priority, &format!("{path}.priority"))?,
                weight: ranged(entry.weight, &format!("{path}.weight"))?,
                aliases: entry.aliases.clone(),
            })
        })
        .collect()
}

/// A provider that is there and was never read would be left out with all its keys: while a member needs it, nothing is served anew.
fn all_read(members: &[ValidatedMember], unreadable: &BTreeSet<String>) -> Result<(), Invalid> {
    let sealed = |member: &&ValidatedMember| unreadable.contains(&member.provider);
    members.iter().find(sealed).map_or(Ok(()), |member| {
        Err(Invalid {
            reason: Reason::UnsupportedValue,
            message: format!(
                "members[{}].providerRef: ModelProvider {} holds a value that this version of the operator does not know; finish the upgrade of the operator, or take the value back.",
                member.name, member.provider
            ),
        })
    })
}

fn retry(of: &api::Retry) -> Result<Retry, Invalid> {
    let attempts = match u32::try_from(of.attempts) {
        Ok(attempts @ 1..=10) => attempts,
        _ => {
            return Err(Invalid::spec(format!(
                "retry.attempts is {}; write a number from 1 to 10",
                of.attempts
            )));
        }
    };
    Ok(Retry {
        attempts,
        deadline_ms: milliseconds(&of.deadline, "retry.deadline")?,
        ambiguous: match of.ambiguous {
            api::Ambiguous::Never => Ambiguous::Never,
            api::Ambiguous::Allow => Ambiguous::Allow,
        },
    })
}

fn client_access(
    of: &api::ClientAccess,
    id: &ObjectId,
    around: &Surroundings<'_>,
) -> Result<(ValidatedClientAccess, Vec<(String, Refusal)>), Invalid> {
    if of.insecure && !of.keys.is_empty() {
        return Err(Invalid::spec(
            "clientAccess.insecure lets everybody call the group, so clientAccess.keys would have no effect; remove one of the two".into(),
        ));
    }
    if !of.generated && !of.insecure && of.keys.is_empty() {
        return Err(Invalid::spec(
            "nobody could call the group; set clientAccess.generated to true, add an entry to clientAccess.keys, or set clientAccess.insecure to true".into(),
        ));
    }
    let mut names = BTreeSet::from([GENERATED_KEY]);
    let mut keys = Vec::new();
    let mut refusals = Vec::new();
    for entry in &of.keys {
        if !names.insert(entry.name.as_str()) {
            return Err(Invalid::spec(format!(
                "clientAccess.keys holds the name {} twice, or it is the generated key's; rename it",
                entry.name
            )));
        }
        let value = secret_value(
            around.fetched,
            &id.namespace,
            &entry.secret_key_ref,
            Purpose::ClientKey,
            around.install,
            around.now.monotonic,
        );
        match value {
            Ok(secret) => keys.push((entry.name.clone(), secret)),
            Err(refusal) => refusals.push((entry.name.clone(), refusal)),
        }
    }
    let access = ValidatedClientAccess {
        generated: of.generated,
        insecure: of.insecure,
        keys,
        away: refusals
            .iter()
            .filter(|(_, refusal)| refusal.grace_until().is_some())
            .map(|(name, _)| name.clone())
            .collect(),
    };
    Ok((access, refusals))
}

fn proxy(of: &api::Proxy) -> Result<ValidatedProxy, Invalid> {
    if !(0..=1000).contains(&of.replicas) {
        return Err(Invalid::spec(format!(
            "proxy.replicas is {}; write a number from 0 to 1000",
            of.replicas
        )));
    }
    Ok(ValidatedProxy {
        replicas: of.replicas,
        resources: of.resources.as_ref().map(Into::into),
        image_pull_secrets: of
            .image_pull_secrets
            .iter()
            .map(|secret| secret.name.clone())
            .collect(),
    })
}

fn resolved_refs(group: &ValidatedGroup, refusals: &[(String, Refusal)]) -> RefsCheck {
    let members = group
        .members
        .iter()
        .filter_map(|member| member_problem(group, member));
    let keys = refusals
        .iter()
        .map(|(name, refusal)| Problem::of(&format!("clientAccess.keys[{name}].secretKeyRef"), refusal));
    RefsCheck::of(&members.chain(keys).collect::<Vec<_>>())
}

/// A provider that is there is resolved, whatever is wrong with it: that is told by its own conditions, by the member's state and by
/// `MembersHealthy`.
fn member_problem(group: &ValidatedGroup, member: &ValidatedMember) -> Option<Problem> {
    let MemberProvider::NotFound = group.provider_of(member) else {
        return None;
    };
    Some(Problem {
        reason: Reason::ProviderNotFound,
        sentence: format!(
            "members[{}].providerRef: ModelProvider {} does not exist; create it in this namespace, or correct the name",
            member.name, member.provider
        ),
        grace_until: None,
    })
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;

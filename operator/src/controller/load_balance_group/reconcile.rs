//! One pass over a group: read, judge, build, write, and tell the fleet what it should run.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use keypool_contract::exchange::ClearCooldown;
use keypool_crds::v1alpha1::shared::{PAUSED, RECONCILE_REQUESTED_AT};
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider, Reason};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};

use super::apply::apply;
use super::build::{self, Inputs};
use super::names;
use super::status::{self, Applied, Conflict, Failure};
use super::validate::{self, Providers};
use super::{InvalidGroup, ValidatedGroup};
use crate::conditions::Check;
use crate::controller::context::{Context, GroupView, Subject};
use crate::controller::error::ReconcileError;
use crate::controller::model_provider::reconcile::look;
use crate::controller::model_provider::validate::Surroundings;
use crate::fleet::desired::Desired;
use crate::install::ObjectId;
use crate::k8s::apply::ApplyError;
use crate::k8s::ownership::{Owner, Ownership, ownership};
use crate::ledger::DocumentScope;
use crate::material::{ClientSecret, Material, Rendered};
use crate::moment::Monotonic;
use crate::reference::{self, MISSING_GRACE};

/// One pass.
///
/// # Errors
/// When an object could not be read or written. What was written before stands.
pub async fn reconcile(
    context: &Context,
    group: Arc<LoadBalanceGroup>,
) -> Result<Option<Monotonic>, ReconcileError> {
    let id = ObjectId::of(group.as_ref());
    let judged = judge(context, &group).await?;
    let before = context.views.group(&id);
    let touched = touched(before.as_ref().map(|view| view.resource.as_ref()), &group);
    let (applied, failure) = before.map_or((None, None), |view| (view.applied, view.failure));
    let mut view = GroupView {
        resource: Arc::clone(&group),
        judged: judged.map(Arc::new),
        refused: None,
        applied,
        failure: None,
    };
    let outcome = match view.judged.clone() {
        Ok(validated) => serve(context, &validated, &mut view).await,
        Err(_) => stand_by(context, &group, &mut view).await,
    };
    let now = context.clock.now().monotonic;
    if let Err(ReconcileError::Apply(error)) = &outcome {
        view.failure = Failure::of(error, failure.map_or(now, |failure| failure.since));
    }
    let again = look_again_at(&view, now);
    context.views.put_group(view);
    for provider in touched {
        context.wakes.survey(Subject::Provider(provider));
    }
    context
        .wakes
        .survey(Subject::Group(ObjectRef::from_obj(group.as_ref())));
    outcome.map(|()| again)
}

/// The providers that this group began or ceased to use, or uses for other models: their statuses tell who uses them.
fn touched(before: Option<&LoadBalanceGroup>, now: &LoadBalanceGroup) -> HashSet<ObjectRef<ModelProvider>> {
    let uses = |group: &LoadBalanceGroup| -> BTreeSet<(String, String)> {
        let members = group.spec.members.iter();
        members
            .map(|member| (member.provider_ref.name.clone(), member.model.clone()))
            .collect()
    };
    let namespace = now.namespace().unwrap_or_default();
    let (before, now) = (before.map(uses).unwrap_or_default(), uses(now));
    let differing = before.symmetric_difference(&now);
    differing
        .map(|(provider, _)| ObjectRef::new(provider).within(&namespace))
        .collect()
}

/// Names that were taken tell nobody when they become free: such a child carries no label of ours. Nor does a provider that was never
/// read tell of its end.
const TAKEN: Duration = Duration::from_secs(15);

/// When the next pass is due without any event: the end of a grace, or a name that may have become free.
fn look_again_at(view: &GroupView, now: Monotonic) -> Option<Monotonic> {
    let validated = view.judged.as_ref().ok()?;
    let graces = validated
        .valid_providers()
        .filter_map(|provider| provider.validate_again_at());
    let away = (!validated.client_access.away.is_empty()).then(|| now + MISSING_GRACE);
    let conflicts = view
        .applied
        .as_ref()
        .is_some_and(|applied| !applied.conflicts.is_empty());
    let taken = (conflicts || view.refused.is_some()).then(|| now + TAKEN);
    graces.filter(|at| now < *at).chain(away).chain(taken).min()
}

/// A group that cannot be served as it is written keeps its last document: its pods still report, and learn from each other.
async fn stand_by(
    context: &Context,
    group: &LoadBalanceGroup,
    view: &mut GroupView,
) -> Result<(), ReconcileError> {
    let id = ObjectId::of(group);
    let owner = Owner {
        uid: &id.uid,
        kind: &LoadBalanceGroup::kind(&()),
        name: &id.name,
    };
    if let Some(secret) = read_own(context, owner, &id.namespace, names::proxy(&id.name)).await? {
        let rendered = Rendered::read(&secret);
        take_over(context, &rendered, view);
        keep_exchanging(context, &id, Vec::new(), &rendered);
    }
    Ok(())
}

/// What an earlier leader wrote is what is written, until this one writes.
fn take_over(context: &Context, rendered: &Rendered, view: &mut GroupView) {
    if let (None, Some(stored)) = (&view.applied, &rendered.document) {
        view.applied = Some(Applied {
            desired: stored.into(),
            spec_written: context.clock.now().monotonic,
            conflicts: Vec::new(),
        });
    }
}

async fn judge(
    context: &Context,
    group: &Arc<LoadBalanceGroup>,
) -> Result<Result<ValidatedGroup, InvalidGroup>, ReconcileError> {
    let namespace = group.namespace().unwrap_or_default();
    let mut providers = Providers::new();
    for name in group.spec.members.iter().map(|member| &member.provider_ref.name) {
        let Some(provider) = context
            .stores
            .providers
            .get(&ObjectRef::new(name).within(&namespace))
        else {
            continue;
        };
        // The provider's own pass has usually judged this very spec; if not, a document without its keys must not be written.
        let seen = context.views.provider(&ObjectId::of(provider.as_ref()));
        let judged = match seen.filter(|view| view.is_of(&provider)) {
            Some(view) => view.judged,
            None => look(context, &provider).await?,
        };
        providers.insert(name.clone(), judged);
    }
    let now = context.clock.now();
    let fetched = context
        .reader
        .fetch(reference::of_group(group), now.monotonic)
        .await?;
    let identity = context.identity.for_namespace(&namespace);
    let around = Surroundings {
        fetched: &fetched,
        install: &context.install,
        identity: &identity,
        now,
    };
    Ok(validate::validate(group, providers, &around))
}

async fn serve(
    context: &Context,
    group: &ValidatedGroup,
    view: &mut GroupView,
) -> Result<(), ReconcileError> {
    let owner = Owner {
        uid: &group.id.uid,
        kind: &LoadBalanceGroup::kind(&()),
        name: &group.id.name,
    };
    let stored = read_own(context, owner, &group.id.namespace, names::proxy(&group.id.name)).await?;
    let rendered = stored.as_ref().map(Rendered::read);
    if let Some(found) = &rendered {
        take_over(context, found, view);
    }
    if held(&view.resource, PAUSED).as_deref() == Some("true") {
        if let Some(found) = &rendered {
            keep_exchanging(context, &group.id, wishes(context, group), found);
        }
        return Ok(());
    }
    if let Some(refused) = never_read(context, group) {
        if let Some(found) = &rendered {
            keep_exchanging(context, &group.id, wishes(context, group), found);
        }
        view.refused = Some(refused);
        return Ok(());
    }
    let handled = view
        .resource
        .status
        .as_ref()
        .and_then(|status| status.last_handled_reconcile_at.clone());
    if held(&view.resource, RECONCILE_REQUESTED_AT).is_some_and(|asked| handled.as_ref() != Some(&asked)) {
        context.children.forget(&group.id);
    }
    let client = read(context, &group.id.namespace, names::client(&group.id.name)).await?;
    let whose = client.as_ref().map(|secret| ownership(secret, owner));
    if group.client_access.generated && whose == Some(Ownership::Leftover) {
        return Err(ApplyError::Leftover {
            kind: "Secret",
            name: names::client(&group.id.name),
        }
        .into());
    }
    let ours = whose == Some(Ownership::Ours);
    let client = ClientSecret::of(group.client_access.generated, client.as_ref(), ours);
    let taken = matches!(client, ClientSecret::Taken);
    let now = context.clock.now();
    let material = Material::complete(rendered.as_ref(), client, now.wall)?;
    let stored_document = rendered.as_ref().and_then(|rendered| rendered.document.as_ref());
    let reported = stored_document.map_or(0, |stored| {
        let fleet = super::fleet::view(context, &view.resource);
        let stamp = &stored.document.stamp;
        fleet.reported_generation(&stamp.lineage, stamp.generation, stored.encoded.hash())
    });
    let endpoint = names::endpoint(&group.id.namespace, &group.id.name);
    let inputs = Inputs {
        group,
        material: &material,
        stored: stored_document,
        reported,
        install: &context.install,
        endpoint: &endpoint,
    };
    let prepared = match build::build(&inputs) {
        Ok(prepared) => prepared,
        Err(refused) => {
            if let Some(found) = &rendered {
                keep_exchanging(context, &group.id, wishes(context, group), found);
            }
            view.refused = Some(refused);
            return Ok(());
        }
    };
    let written = status::Desired::from(&prepared.document);
    let desired = Desired {
        stamp: prepared.document.document.stamp.clone(),
        document: prepared.document.encoded.clone(),
        scope: prepared.document.scope(),
        certificate: material.certificate.trusted(),
        token: material.token.clone(),
        clear_cooldowns: wishes(context, group),
    };
    let version = stored.as_ref().and_then(ResourceExt::resource_version);
    let before = view.applied.take();
    let same_spec = before
        .as_ref()
        .filter(|before| before.desired.spec_since == written.spec_since);
    let mut applied = Applied {
        spec_written: same_spec.map_or(now.monotonic, |before| before.spec_written),
        desired: written,
        conflicts: Vec::new(),
    };
    // Pods hear of a document only after its write succeeded: otherwise the volume could bring back an older one. What is written
    // counts as applied even if a later child cannot be.
    let mut stored = false;
    let result = apply(context, owner, prepared, version, || {
        context.roster.desire(&group.id, Arc::new(desired));
        stored = true;
    })
    .await;
    match result {
        Ok(conflicts) => applied.conflicts = conflicts,
        Err(error) => {
            view.applied = if stored { Some(applied) } else { before };
            return Err(error);
        }
    }
    if taken {
        applied.conflicts.push(Conflict {
            kind: "Secret".into(),
            name: names::client(&group.id.name),
        });
    }
    // A document that could not be written is another one at every pass: what is said of it stays the same.
    let said = before.filter(|before| !stored && before.conflicts == applied.conflicts);
    view.applied = Some(said.unwrap_or(applied));
    Ok(())
}

/// A provider that is there and was never read would be left out with all its keys: nothing is written while a member needs it.
fn never_read(context: &Context, group: &ValidatedGroup) -> Option<Check> {
    let unreadable = &context.stores.unreadable_providers;
    let member = group.members.iter().find(|member| {
        !group.providers.contains_key(&member.provider)
            && unreadable.contains(&group.id.namespace, &member.provider)
    })?;
    Some(Check::no(
        Reason::UnsupportedValue,
        format!(
            "members[{}].providerRef: ModelProvider {} holds a value that this version of the operator does not know; finish the upgrade of the operator, or take the value back. The last configuration keeps serving.",
            member.name, member.provider
        ),
    ))
}

/// Without a new document the pods still report, and learn from each other.
fn keep_exchanging(context: &Context, group: &ObjectId, wishes: Vec<ClearCooldown>, rendered: &Rendered) {
    if let Some((stored, token, certificate)) = rendered.exchange_parts() {
        let desired = Desired {
            stamp: stored.document.stamp.clone(),
            document: stored.encoded.clone(),
            scope: DocumentScope::of(&stored.document),
            certificate: certificate.trusted(),
            token: token.clone(),
            clear_cooldowns: wishes,
        };
        context.roster.desire(group, Arc::new(desired));
    }
}

fn wishes(context: &Context, group: &ValidatedGroup) -> Vec<ClearCooldown> {
    let views = group
        .valid_providers()
        .filter_map(|provider| context.views.provider(&provider.id));
    views.filter_map(|view| view.wish).collect()
}

fn held(group: &LoadBalanceGroup, annotation: &str) -> Option<String> {
    group
        .annotations()
        .get(annotation)
        .filter(|value| !value.is_empty())
        .cloned()
}

/// Reads the group's own Secret; one of that name that is not the group's counts as missing, and stops the write later.
async fn read_own(
    context: &Context,
    owner: Owner<'_>,
    namespace: &str,
    name: String,
) -> Result<Option<Secret>, ReconcileError> {
    let read = read(context, namespace, name).await?;
    Ok(read.filter(|secret| ownership(secret, owner) == Ownership::Ours))
}

async fn read(context: &Context, namespace: &str, name: String) -> Result<Option<Secret>, ReconcileError> {
    let api: Api<Secret> = Api::namespaced(context.clients.request.clone(), namespace);
    let read = api.get_opt(&name).await;
    Ok(read.map_err(|error| ApplyError::request("Secret", name, "read", &error))?)
}

#[cfg(test)]
mod tests;

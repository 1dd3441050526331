//! The end of a pass over a group that can be served: what to write, and the writing.

use std::sync::Arc;

use keypool_crds::v1alpha1::LoadBalanceGroup;
use keypool_crds::v1alpha1::shared::{PAUSED, RECONCILE_REQUESTED_AT};
use kube::ResourceExt;

use super::super::apply::apply;
use super::super::build::{self, Inputs, Prepared};
use super::super::status::{self, Applied, Conflict};
use super::super::{ValidatedGroup, fleet, names};
use super::stored::{self, Stored, owner};
use crate::conditions::Check;
use crate::controller::context::{Context, GroupView};
use crate::controller::error::ReconcileError;
use crate::fleet::desired::Desired;
use crate::k8s::apply::ApplyError;
use crate::k8s::ownership::{Ownership, ownership};
use crate::material::{ClientSecret, Material};

/// What is done with the children.
enum Plan {
    /// They are written.
    Write(Box<Writing>),
    /// They stay as they are; the check says why the spec is not served.
    Stay(Option<Check>),
}

/// What is to be written, and what the fleet runs then.
struct Writing {
    prepared: Prepared,
    desired: Desired,
    /// The client Secret's name is somebody else's.
    taken: bool,
}

/// Writes what the group needs, or keeps what is written.
pub(super) async fn serve(
    context: &Context,
    group: &ValidatedGroup,
    view: &mut GroupView,
) -> Result<(), ReconcileError> {
    let stored = Stored::read(context, &group.id).await?;
    stored.take_over(context, view);
    match plan(context, group, &view.resource, &stored).await? {
        Plan::Write(writing) => write(context, group, *writing, stored.version, view).await,
        Plan::Stay(refused) => {
            stored.keep_exchanging(context, &view.resource);
            view.refused = refused;
            Ok(())
        }
    }
}

async fn plan(
    context: &Context,
    group: &ValidatedGroup,
    resource: &LoadBalanceGroup,
    stored: &Stored,
) -> Result<Plan, ReconcileError> {
    if held(resource, PAUSED) == Some("true") {
        return Ok(Plan::Stay(None));
    }
    let handled = resource.status.as_ref();
    let handled = handled.and_then(|status| status.last_handled_reconcile_at.as_deref());
    if held(resource, RECONCILE_REQUESTED_AT).is_some_and(|asked| handled != Some(asked)) {
        context.children.forget(&group.id);
    }
    let client = client_secret(context, group).await?;
    let taken = matches!(client, ClientSecret::Taken);
    let material = Material::complete(stored.rendered.as_ref(), client, context.clock.now().wall)?;
    let reported = stored.document().map_or(0, |stored| {
        let stamp = &stored.document.stamp;
        fleet::view(context, resource).reported_generation(
            &stamp.lineage,
            stamp.generation,
            stored.encoded.hash(),
        )
    });
    let inputs = Inputs {
        group,
        material: &material,
        stored: stored.document(),
        reported,
        install: &context.install,
        endpoint: &names::endpoint(&group.id.namespace, &group.id.name),
    };
    let prepared = match build::build(&inputs) {
        Ok(prepared) => prepared,
        Err(refused) => return Ok(Plan::Stay(Some(refused))),
    };
    let desired = Desired {
        stamp: prepared.document.document.stamp.clone(),
        document: prepared.document.encoded.clone(),
        scope: prepared.document.scope(),
        certificate: material.certificate.trusted(),
        token: material.token.clone(),
        clear_cooldowns: stored::wishes(context, resource),
    };
    Ok(Plan::Write(Box::new(Writing {
        prepared,
        desired,
        taken,
    })))
}

/// The Secret with which applications call the group, as it stands.
async fn client_secret(context: &Context, group: &ValidatedGroup) -> Result<ClientSecret, ReconcileError> {
    let name = names::client(&group.id.name);
    let secret = stored::read(context, &group.id.namespace, name.clone()).await?;
    let whose = secret.as_ref().map(|secret| ownership(secret, owner(&group.id)));
    if group.client_access.generated && whose == Some(Ownership::Leftover) {
        return Err(ApplyError::Leftover { kind: "Secret", name }.into());
    }
    let ours = whose == Some(Ownership::Ours);
    Ok(ClientSecret::of(
        group.client_access.generated,
        secret.as_ref(),
        ours,
    ))
}

async fn write(
    context: &Context,
    group: &ValidatedGroup,
    writing: Writing,
    version: Option<String>,
    view: &mut GroupView,
) -> Result<(), ReconcileError> {
    let Writing {
        prepared,
        desired,
        taken,
    } = writing;
    let written = status::Desired::from(&prepared.document);
    let before = view.applied.take();
    let same_spec = before
        .as_ref()
        .filter(|before| before.desired.spec_since == written.spec_since);
    let now = context.clock.now().monotonic;
    let mut applied = Applied {
        spec_written: same_spec.map_or(now, |before| before.spec_written),
        desired: written,
        conflicts: Vec::new(),
    };
    // Pods hear of a document only after its write succeeded: otherwise the volume could bring back an older one. What is written
    // counts as applied even if a later child cannot be.
    let mut document_written = false;
    let result = apply(context, owner(&group.id), prepared, version, || {
        context.roster.desire(&group.id, Arc::new(desired));
        document_written = true;
    })
    .await;
    match result {
        Ok(conflicts) => applied.conflicts = conflicts,
        Err(error) => {
            view.applied = if document_written { Some(applied) } else { before };
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
    let said = before.filter(|before| !document_written && before.conflicts == applied.conflicts);
    view.applied = Some(said.unwrap_or(applied));
    Ok(())
}

fn held<'a>(group: &'a LoadBalanceGroup, annotation: &str) -> Option<&'a str> {
    let value = group.annotations().get(annotation)?;
    (!value.is_empty()).then_some(value)
}

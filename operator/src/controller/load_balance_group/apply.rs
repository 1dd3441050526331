//! Writes what was built, in an order in which nothing is ever missing: the account and the document before the pods that need them, the
//! Service before the Secret that tells clients of it.

use k8s_openapi::api::core::v1::Secret;

use super::build::Prepared;
use super::names;
use super::status::Conflict;
use crate::controller::context::Context;
use crate::controller::error::ReconcileError;
use crate::k8s::apply::ApplyError;
use crate::k8s::ownership::Owner;

/// Writes everything. A child whose name is taken costs that child alone; `document_written` is called once the document is stored.
///
/// # Errors
/// The first write that failed otherwise; the pass is tried again.
pub async fn apply(
    context: &Context,
    owner: Owner<'_>,
    prepared: Prepared,
    read_version: Option<String>,
    document_written: impl FnOnce(),
) -> Result<Vec<Conflict>, ReconcileError> {
    let Prepared {
        document: _,
        service_account,
        rendered_secret,
        client_secret,
        service,
        deployment,
    } = prepared;
    let namespace = service.metadata.namespace.clone().unwrap_or_default();
    let children = &context.children;
    let mut conflicts = Vec::new();
    note(children.bring(owner, service_account, None).await, &mut conflicts)?;
    let rendered = children.bring(owner, rendered_secret.0, read_version).await;
    if !note(rendered, &mut conflicts)? {
        // Pods must not mount somebody else's Secret.
        return Ok(conflicts);
    }
    document_written();
    note(children.bring(owner, service, None).await, &mut conflicts)?;
    match client_secret {
        Some(secret) => drop(note(children.bring(owner, secret.0, None).await, &mut conflicts)?),
        None => {
            children
                .remove::<Secret>(owner, &namespace, &names::client(owner.name))
                .await?
        }
    }
    note(children.bring(owner, deployment, None).await, &mut conflicts)?;
    Ok(conflicts)
}

/// Whether the child was written. A taken name is told in the status; what is left over of an earlier resource goes away by itself.
fn note(written: Result<(), ApplyError>, conflicts: &mut Vec<Conflict>) -> Result<bool, ApplyError> {
    match written {
        Ok(()) => Ok(true),
        Err(ApplyError::NameConflict { kind, name }) => {
            conflicts.push(Conflict {
                kind: kind.to_owned(),
                name,
            });
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

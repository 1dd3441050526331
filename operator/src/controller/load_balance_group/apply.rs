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
    let reached = note(children.bring(owner, service, None).await, &mut conflicts)?;
    match client_secret {
        // Behind somebody else's Service, applications would send their key and their prompts to a stranger.
        Some(_) if !reached => {}
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;
    use k8s_openapi::api::core::v1::{Secret, Service};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    use crate::controller::load_balance_group::reconcile::reconcile;
    use crate::fixtures::api::Led;
    use crate::fixtures::{CHAT, OPENAI, VLLM, group, named, provider};
    use crate::install::ObjectId;

    #[tokio::test]
    async fn nobody_is_told_of_a_service_that_is_somebody_elses() {
        let mut led = Led::new();
        for provider in [provider("openai", OPENAI), provider("vllm", VLLM)] {
            led.provider(&provider);
        }
        let chat = group("chat", CHAT);
        led.group(&chat);
        let id = ObjectId::of(&chat);
        let mut service = Service::default();
        service.metadata.name = Some("chat-keypool".into());
        led.hold("/api/v1/namespaces/team/services/chat-keypool", &service);
        // What is there already would be written again.
        let mut ours: Secret = named("chat-client");
        ours.metadata.uid = Some("s".into());
        ours.metadata.owner_references = Some(vec![OwnerReference {
            api_version: "keypool.dev/v1alpha1".into(),
            kind: "LoadBalanceGroup".into(),
            name: id.name.clone(),
            uid: id.uid.clone(),
            controller: Some(true),
            ..OwnerReference::default()
        }]);
        led.hold("/api/v1/namespaces/team/secrets/chat-client", &ours);
        led.refuse(Some(("/secrets/chat-client", StatusCode::IM_A_TEAPOT)));
        reconcile(&led.context, Arc::new(chat)).await.unwrap();
        let conflicts = led.context.views.group(&id).unwrap().applied.unwrap().conflicts;
        let kinds: Vec<_> = conflicts.iter().map(|conflict| conflict.kind.as_str()).collect();
        assert_eq!(kinds, ["Service"]);
    }
}

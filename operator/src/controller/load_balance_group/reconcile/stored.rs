//! What an earlier pass, or an earlier leader, wrote for a group: its rendered Secret.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use keypool_contract::exchange::ClearCooldown;
use keypool_crds::v1alpha1::LoadBalanceGroup;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};

use super::super::names;
use super::super::status::Applied;
use crate::controller::context::{Context, GroupView};
use crate::controller::error::ReconcileError;
use crate::fleet::desired::Desired;
use crate::install::ObjectId;
use crate::k8s::apply::ApplyError;
use crate::k8s::ownership::{Owner, Ownership, ownership};
use crate::ledger::DocumentScope;
use crate::material::{Rendered, StoredDocument};

/// The rendered Secret as it stands in the cluster.
#[derive(Default)]
pub(super) struct Stored {
    /// Its resourceVersion.
    pub(super) version: Option<String>,
    /// What it holds; none where there is none.
    pub(super) rendered: Option<Rendered>,
}

impl Stored {
    /// Reads it. One of that name that is not the group's counts as missing, and stops the write later.
    pub(super) async fn read(context: &Context, group: &ObjectId) -> Result<Self, ReconcileError> {
        let secret = read(context, &group.namespace, names::proxy(&group.name)).await?;
        let ours = secret.filter(|secret| ownership(secret, owner(group)) == Ownership::Ours);
        Ok(ours.map_or_else(Self::default, |secret| Self {
            version: secret.resource_version(),
            rendered: Some(Rendered::read(&secret)),
        }))
    }

    pub(super) fn document(&self) -> Option<&StoredDocument> {
        self.rendered.as_ref()?.document.as_ref()
    }

    /// What an earlier leader wrote is what is written, until this one writes.
    pub(super) fn take_over(&self, context: &Context, view: &mut GroupView) {
        if let (None, Some(stored)) = (&view.applied, self.document()) {
            view.applied = Some(Applied {
                desired: stored.into(),
                spec_written: context.clock.now().monotonic,
                conflicts: Vec::new(),
            });
        }
    }

    /// Without a new document the pods still report, and learn from each other.
    pub(super) fn keep_exchanging(&self, context: &Context, group: &LoadBalanceGroup) {
        let parts = self.rendered.as_ref().and_then(Rendered::exchange_parts);
        let Some((stored, token, certificate)) = parts else {
            return;
        };
        let desired = Desired {
            stamp: stored.document.stamp.clone(),
            document: stored.encoded.clone(),
            scope: DocumentScope::of(&stored.document),
            certificate: certificate.trusted(),
            token: token.clone(),
            clear_cooldowns: wishes(context, group),
        };
        context.roster.desire(&ObjectId::of(group), Arc::new(desired));
    }
}

/// The wishes about a group's providers that its pods may not have heard.
pub(super) fn wishes(context: &Context, group: &LoadBalanceGroup) -> Vec<ClearCooldown> {
    let namespace = group.namespace().unwrap_or_default();
    let members = group.spec.members.iter();
    let names: BTreeSet<&str> = members.map(|member| member.provider_ref.name.as_str()).collect();
    let views = names.into_iter().filter_map(|name| {
        let provider = ObjectRef::new(name).within(&namespace);
        let provider = context.stores.providers.get(&provider)?;
        context.views.provider(&ObjectId::of(provider.as_ref()))
    });
    views.filter_map(|view| view.wish).collect()
}

/// The group as the owner of its children.
pub(super) fn owner(group: &ObjectId) -> Owner<'_> {
    Owner {
        uid: &group.uid,
        kind: "LoadBalanceGroup",
        name: &group.name,
    }
}

/// Reads a Secret of the group's namespace.
pub(super) async fn read(
    context: &Context,
    namespace: &str,
    name: String,
) -> Result<Option<Secret>, ReconcileError> {
    let api: Api<Secret> = Api::namespaced(context.clients.request.clone(), namespace);
    let read = api.get_opt(&name).await;
    Ok(read.map_err(|error| ApplyError::request("Secret", name, "read", &error))?)
}

//! Whom a change concerns.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

use super::Stores;
use crate::controller::context::{Subject, Wakes};
use crate::controller::load_balance_group::build::GROUP_LABEL;
use crate::k8s::watch::Change;
use crate::reference::{self, Reference};

/// Wakes those whom a change concerns.
#[derive(Clone)]
pub(super) struct Waker {
    pub(super) stores: Stores,
    pub(super) wakes: Wakes,
}

impl Waker {
    /// A provider wakes its own pass, which wakes the groups; when it is gone, there is no such pass any more.
    pub(super) fn provider(&self, change: &Change<ModelProvider>) {
        self.wakes.provider(object_ref(change.meta()));
        if let Change::Deleted(meta) = change {
            let (namespace, name) = place(meta);
            groups_of(&self.stores, namespace, name).for_each(|group| self.wakes.group(group));
            self.wakes.survey(Subject::Gone);
        }
    }

    /// A provider that cannot be read, or can be again, may have no pass of its own that would wake the groups.
    pub(super) fn unreadable_provider(&self, namespace: &str, name: &str) {
        self.wakes.provider(ObjectRef::new(name).within(namespace));
        groups_of(&self.stores, namespace, name).for_each(|group| self.wakes.group(group));
    }

    /// A group wakes its own pass; when it is gone, what was held for it ends.
    pub(super) fn group(&self, change: &Change<LoadBalanceGroup>) {
        match change {
            Change::Applied(group) => self.wakes.group(object_ref(group.meta())),
            Change::Deleted(_) => self.wakes.survey(Subject::Gone),
        }
    }

    /// What a group's status says of an edit that cannot be read needs no pass.
    pub(super) fn unreadable_group(&self, namespace: &str, name: &str) {
        self.wakes
            .survey(Subject::Group(ObjectRef::new(name).within(namespace)));
    }

    /// A pod concerns the exchanges and the status of its group.
    pub(super) fn pod(&self, change: &Change<Pod>) {
        if let Some(group) = owner(change.meta()) {
            self.wakes.survey(Subject::Group(group));
        }
    }

    /// An object that specs refer to concerns who refers to it, and the group whose own it is.
    pub(super) fn source<K: Resource>(&self, change: &Change<K>, reference: fn(&str, &str) -> Reference) {
        let (namespace, name) = place(change.meta());
        let wanted = reference(namespace, name);
        for provider in self.stores.providers.state() {
            if reference::of_provider(&provider).contains(&wanted) {
                self.wakes.provider(ObjectRef::from_obj(provider.as_ref()));
            }
        }
        for group in self.stores.groups.state() {
            if reference::of_group(&group).contains(&wanted) {
                self.wakes.group(ObjectRef::from_obj(group.as_ref()));
            }
        }
        self.owner(change.meta());
    }

    /// The group whose child it is. A child that is watched without its label may have lost it: then its owner tells.
    pub(super) fn owner(&self, child: &ObjectMeta) {
        let labelled = owner(child);
        let owners = owners(child).filter(|group| Some(group) != labelled.as_ref());
        labelled
            .iter()
            .cloned()
            .chain(owners)
            .for_each(|group| self.wakes.group(group));
    }
}

/// The groups that name a provider.
pub fn groups_of<'a>(
    stores: &'a Stores,
    namespace: &str,
    provider: &str,
) -> impl Iterator<Item = ObjectRef<LoadBalanceGroup>> + use<'a> {
    let (namespace, provider) = (namespace.to_owned(), provider.to_owned());
    let uses = move |group: &Arc<LoadBalanceGroup>| {
        let mut members = group.spec.members.iter();
        group.namespace().as_ref() == Some(&namespace)
            && members.any(|member| member.provider_ref.name == provider)
    };
    let groups = stores.groups.state().into_iter().filter(uses);
    groups.map(|group| ObjectRef::from_obj(group.as_ref()))
}

/// The group that owns an object: by label, because a pod's owner is a ReplicaSet.
fn owner(object: &ObjectMeta) -> Option<ObjectRef<LoadBalanceGroup>> {
    let group = object.labels.as_ref()?.get(GROUP_LABEL)?;
    Some(ObjectRef::new(group).within(object.namespace.as_deref()?))
}

/// The groups that are written down as owners of an object.
fn owners(object: &ObjectMeta) -> impl Iterator<Item = ObjectRef<LoadBalanceGroup>> {
    let kind = LoadBalanceGroup::kind(&());
    let references = object.owner_references.iter().flatten();
    let groups = references.filter(move |reference| reference.kind == kind);
    groups.filter_map(|reference| Some(ObjectRef::new(&reference.name).within(object.namespace.as_deref()?)))
}

fn place(meta: &ObjectMeta) -> (&str, &str) {
    (
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
    )
}

fn object_ref<K: Resource<DynamicType = ()>>(meta: &ObjectMeta) -> ObjectRef<K> {
    let (namespace, name) = place(meta);
    ObjectRef::new(name).within(namespace)
}

#[cfg(test)]
mod tests;

//! LoadBalanceGroup: from spec and fetched objects to a fleet's document and its Kubernetes resources, and from what the fleet
//! acknowledged and learned to the group's status.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use keypool_contract::Secret;
use keypool_contract::document::{Retry, Strategy, UnknownModel};

use super::model_provider::{InvalidProvider, ValidatedProvider};
use crate::conditions::Check;
use crate::install::ObjectId;
use crate::reference::RefsCheck;

pub mod apply;
pub mod build;
pub mod fleet;
pub mod reconcile;
pub mod status;
pub mod validate;

/// A group that can be served, with what is known against parts of it.
#[derive(Clone, Debug)]
pub struct ValidatedGroup {
    /// Which object.
    pub id: ObjectId,
    /// `metadata.generation` from which this was made.
    pub generation: i64,
    /// Other model names for the whole group.
    pub aliases: Vec<String>,
    /// All members of the spec.
    pub members: Vec<ValidatedMember>,
    /// How a target is chosen within a priority.
    pub strategy: Strategy,
    /// When another attempt is made.
    pub retry: Retry,
    /// What happens to a model that the group does not know.
    pub unknown_model: UnknownModel,
    /// Who may call.
    pub client_access: ValidatedClientAccess,
    /// The pods.
    pub proxy: ValidatedProxy,
    /// The providers that members name and that exist, by name.
    pub providers: BTreeMap<String, Result<ValidatedProvider, InvalidProvider>>,
    /// The condition `Accepted`, True.
    pub accepted: Check,
    /// The condition `ResolvedRefs`.
    pub resolved_refs: RefsCheck,
}

/// One member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ValidatedMember {
    /// Name within the group.
    pub name: String,
    /// Name of the provider.
    pub provider: String,
    /// The upstream model.
    pub model: String,
    /// 0..=1000, lower first.
    pub priority: u32,
    /// 0..=1000.
    pub weight: u32,
    /// Other model names for this member.
    pub aliases: Vec<String>,
}

/// Who may call.
#[derive(Clone, Debug)]
pub struct ValidatedClientAccess {
    /// Whether Keypool makes a key.
    pub generated: bool,
    /// Whether anybody may.
    pub insecure: bool,
    /// Keys of the user's own that resolve, by name.
    pub keys: Vec<(String, Secret)>,
    /// Names of keys whose Secret is away and may come back: what was accepted so far still is.
    pub away: Vec<String>,
}

/// The pods.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidatedProxy {
    /// How many.
    pub replicas: i32,
    /// Compute resources of each.
    pub resources: Option<ResourceRequirements>,
    /// Names of Secrets for pulling the image.
    pub image_pull_secrets: Vec<String>,
}

/// A group that cannot be served at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidGroup {
    /// Which object.
    pub id: ObjectId,
    /// `metadata.generation`.
    pub generation: i64,
    /// The condition `Accepted`, False.
    pub accepted: Check,
}

/// How a member's provider can serve it.
#[derive(Clone, Copy, Debug)]
pub enum MemberProvider<'a> {
    /// It is in the document.
    Served(&'a ValidatedProvider),
    /// There is none of that name.
    NotFound,
    /// Its spec cannot be served.
    NotAccepted(&'a InvalidProvider),
    /// Its private authorities do not resolve, and will not come back by themselves.
    NoAuthorities(&'a ValidatedProvider),
}

impl ValidatedGroup {
    /// How a member's provider can serve it.
    pub fn provider_of(&self, member: &ValidatedMember) -> MemberProvider<'_> {
        match self.providers.get(&member.provider) {
            None => MemberProvider::NotFound,
            Some(Err(invalid)) => MemberProvider::NotAccepted(invalid),
            Some(Ok(provider)) => match &provider.ca_bundle {
                Err(refusal) if refusal.grace_until().is_none() => MemberProvider::NoAuthorities(provider),
                _ => MemberProvider::Served(provider),
            },
        }
    }

    /// The providers whose spec can be served, each once.
    pub fn valid_providers(&self) -> impl Iterator<Item = &ValidatedProvider> {
        self.providers
            .values()
            .filter_map(|provider| provider.as_ref().ok())
    }
}

/// Names of a group's children. They are fixed: nobody has to look them up.
pub mod names {
    /// Deployment, Service, ServiceAccount and rendered Secret.
    pub fn proxy(group: &str) -> String {
        format!("{group}-keypool")
    }

    /// The Secret for clients.
    pub fn client(group: &str) -> String {
        format!("{group}-client")
    }

    /// The group's root URL in the cluster. It names no cluster domain, so it holds in every cluster.
    pub fn endpoint(namespace: &str, group: &str) -> String {
        format!("http://{}.{namespace}.svc", proxy(group))
    }
}

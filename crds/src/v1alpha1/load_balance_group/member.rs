//! One entry of a group: a provider and one of its models.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::shared::{one, text};

/// One model that requests are balanced over.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Name of the member, unique in this group. A request for this name as its model goes only to this member.
    #[schemars(length(min = 1, max = 63), regex(pattern = text::LABEL))]
    pub name: String,
    /// The ModelProvider that serves it.
    pub provider_ref: ProviderRef,
    /// Name of the model at the provider, such as gpt-4.1: what is sent upstream in place of the name that the client used. A
    /// request for it goes to the members that have it, unless the name is an alias of the whole group.
    #[schemars(length(min = 1, max = 256), regex(pattern = text::MODEL))]
    pub model: String,
    /// Members of the lowest number that can serve are used; higher ones only when none of those can. 0 to 1000. Left out: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub priority: i32,
    /// Share of the requests relative to the other members of the same priority, 0 to 1000. 0 drains the member: no new
    /// requests. Left out: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1000))]
    pub weight: i32,
    /// Other model names under which clients may ask for this member, at most 32. Several members may share one. Left out: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 256), regex(pattern = text::MODEL)))]
    pub aliases: Vec<String>,
}

/// A ModelProvider in the same namespace.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRef {
    /// Name of the ModelProvider, in the namespace of the group. One that is not there makes ResolvedRefs False and takes only
    /// this member out of use.
    #[schemars(length(min = 1, max = 50), regex(pattern = text::DNS_1035))]
    pub name: String,
}

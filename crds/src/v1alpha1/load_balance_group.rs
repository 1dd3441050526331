//! `LoadBalanceGroup`: the balanced unit that clients call.

#![allow(
    clippy::duplicated_attributes,
    reason = "printer columns repeat the keys type_ and priority"
)]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::text;

mod client_access;
mod member;
mod proxy;
mod retry;
mod status;

pub use client_access::{ClientAccess, ClientKey};
pub use member::{Member, ProviderRef};
pub use proxy::{Proxy, Resources};
pub use retry::{Ambiguous, Retry};
pub use status::{ConfigError, ConfigStatus, LoadBalanceGroupStatus, MemberStatus, MemberSummary};

/// The members, how requests are shared among them, who may call, and the proxies.
#[derive(Clone, CustomResource, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "keypool.dev",
    version = "v1alpha1",
    kind = "LoadBalanceGroup",
    plural = "loadbalancegroups",
    shortname = "lbg",
    category = "keypool",
    namespaced,
    status = "LoadBalanceGroupStatus",
    derive = "PartialEq",
    doc = "Models that are balanced as one: clients call the group's Service with the SDK they have, and its proxies send every \
           request to one of the members, with one of the keys of the member's ModelProvider.",
    scale(
        spec_replicas_path = ".spec.proxy.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Strategy",
        type_ = "string",
        json_path = ".spec.strategy.type",
        description = "How requests are shared among members and keys"
    ),
    printcolumn(
        name = "Members",
        type_ = "string",
        json_path = ".status.memberSummary.display",
        description = "Usable members of all members"
    ),
    printcolumn(
        name = "Keys",
        type_ = "string",
        json_path = ".status.keySummary.display",
        description = "Usable keys of all keys"
    ),
    printcolumn(
        name = "Proxies",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        description = "Proxy pods that are ready"
    ),
    printcolumn(
        name = "Programmed",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Programmed")].status"#,
        description = "Whether all proxy pods run the current configuration"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Endpoint",
        type_ = "string",
        json_path = ".status.endpoint",
        description = "Root URL for clients in the cluster",
        priority = "1"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalanceGroupSpec {
    /// Other model names under which clients may ask for the whole group, such as gpt-4.1, at most 32; the group's own name always
    /// works. Left out: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 256), regex(pattern = text::MODEL)))]
    pub aliases: Vec<String>,
    /// The models that requests are balanced over, 1 to 32.
    #[schemars(length(min = 1, max = 32))]
    pub members: Vec<Member>,
    /// How requests are shared among members and keys. Left out: WeightedRoundRobin.
    #[serde(default)]
    pub strategy: Strategy,
    /// When a request that failed is sent again. Left out: the defaults of its fields.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: Retry,
    /// What happens to a request for a model that is neither the group, an alias, nor a member's name, alias or model. Reject:
    /// it is answered 404 with the list of what exists. Balance: it is balanced over all members. Left out: Reject.
    #[serde(default)]
    pub unknown_model: UnknownModel,
    /// Who may call the group. Left out: one generated key, in the Secret <group>-client.
    #[serde(default, skip_serializing_if = "is_default")]
    pub client_access: ClientAccess,
    /// The proxy pods that serve the group. Left out: the defaults of its fields.
    #[serde(default)]
    pub proxy: Proxy,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How requests are shared.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Strategy {
    /// RoundRobin: members take turns and so do the keys of a member; weights only matter where they are 0. WeightedRoundRobin:
    /// every member and every key gets its share by weight. In both, first a member is chosen, then one of its keys, each among
    /// the lowest priority that can serve. Left out: WeightedRoundRobin.
    #[serde(rename = "type", default)]
    pub type_: StrategyType,
}

/// The ways to share requests.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
pub enum StrategyType {
    /// In turn.
    RoundRobin,
    /// By weight.
    #[default]
    WeightedRoundRobin,
}

/// What happens to a request for a model that the group does not know.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
pub enum UnknownModel {
    /// It is answered 404.
    #[default]
    Reject,
    /// It is balanced over all members.
    Balance,
}

//! The proxy pods of a group.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::shared::LocalObjectRef;

/// The proxy pods of a group.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Proxy {
    /// Number of proxy pods, 0 to 1000; kubectl scale and autoscalers set it. Left out: 2.
    #[serde(default = "replicas")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// Compute resources of each proxy pod. A change rolls the pods; running streams are finished first. Left out: no requests
    /// and no limits, so the namespace's LimitRange decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Secrets in the same namespace with which the proxy image is pulled, at most 8. Left out: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub image_pull_secrets: Vec<LocalObjectRef>,
}

fn replicas() -> i32 {
    2
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            replicas: replicas(),
            resources: None,
            image_pull_secrets: Vec::new(),
        }
    }
}

/// Compute resources by name (cpu, memory, ephemeral-storage), as in a container.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// What a pod is guaranteed, such as cpu 100m and memory 128Mi. Left out: what limits says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,
    /// What a pod may not exceed. Left out: no limit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
}

impl From<&Resources> for ResourceRequirements {
    fn from(resources: &Resources) -> Self {
        let some = |map: &BTreeMap<String, Quantity>| (!map.is_empty()).then(|| map.clone());
        Self {
            claims: None,
            limits: some(&resources.limits),
            requests: some(&resources.requests),
        }
    }
}

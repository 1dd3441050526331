//! The CustomResourceDefinitions: what kube derives, made into what the API server should get.

use anyhow::Context;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use keypool_crds::v1alpha1::shared::{MAX_NAME_LENGTH, text};
use keypool_crds::v1alpha1::{ConditionType, LoadBalanceGroup, ModelProvider, Reason};
use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::schema;

/// Spec objects that a printer column or the scale subresource reads: the API server fills them in where they are left out.
const DEFAULTED: &[&str] = &["/spec/strategy", "/spec/proxy"];

const PROVIDER_CONDITIONS: &[ConditionType] = &[
    ConditionType::Accepted,
    ConditionType::ResolvedRefs,
    ConditionType::EndpointHealthy,
    ConditionType::KeysHealthy,
    ConditionType::Ready,
];

const GROUP_CONDITIONS: &[ConditionType] = &[
    ConditionType::Accepted,
    ConditionType::ResolvedRefs,
    ConditionType::Programmed,
    ConditionType::Available,
    ConditionType::MembersHealthy,
    ConditionType::Ready,
];

/// The transition time of conditions that nobody has set.
pub(crate) const EPOCH: &str = "1970-01-01T00:00:00Z";

/// All definitions.
pub(crate) fn all() -> anyhow::Result<Vec<Value>> {
    Ok(vec![
        definition(ModelProvider::crd(), PROVIDER_CONDITIONS)?,
        definition(LoadBalanceGroup::crd(), GROUP_CONDITIONS)?,
    ])
}

fn definition(derived: CustomResourceDefinition, conditions: &[ConditionType]) -> anyhow::Result<Value> {
    let mut definition = serde_json::to_value(derived).context("a derived definition is not JSON")?;
    let root = definition
        .pointer_mut("/spec/versions/0/schema/openAPIV3Schema")
        .context("a derived definition has no schema")?;
    schema::structural(root, DEFAULTED);
    root["x-kubernetes-validations"] = json!([name_rule()]);
    root["properties"]["status"]["default"] = pending(conditions);
    let gaps = schema::gaps(root);
    anyhow::ensure!(gaps.is_empty(), "the schema has gaps:\n{}", gaps.join("\n"));
    Ok(schema::sorted(definition))
}

/// Children take their names from the object's, as Service and label names, with something appended.
fn name_rule() -> Value {
    json!({
        "rule": format!(
            "size(self.metadata.name) <= {MAX_NAME_LENGTH} && self.metadata.name.matches('{}')",
            text::DNS_1035
        ),
        "message": format!(
            "metadata.name must have at most {MAX_NAME_LENGTH} characters, only lower-case letters, digits and '-', begin with \
             a letter and end with a letter or digit, because Services and other objects are named after it; choose another name"
        ),
    })
}

/// The status of an object that the operator has not seen yet. Without it, tools that wait (kstatus) take such an object for
/// ready.
fn pending(conditions: &[ConditionType]) -> Value {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|condition| {
            json!({
                "type": condition,
                "status": "Unknown",
                "reason": Reason::Pending,
                "message": "Waiting for the operator",
                "lastTransitionTime": EPOCH,
            })
        })
        .collect();
    json!({ "conditions": conditions })
}

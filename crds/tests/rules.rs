//! The CEL rules and defaults of the generated definitions, evaluated here without an API server; the admission ring shows the
//! same tables on a real one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use k8s_openapi::api::core::v1::ResourceRequirements;
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider, StrategyType};
use kube_cel::Validator;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    message: String,
    #[serde(default)]
    by: String,
    kind: String,
    #[serde(default = "a_name")]
    name: String,
    spec: Value,
}

fn a_name() -> String {
    "a-name".into()
}

impl Case {
    fn object(&self) -> Value {
        json!({
            "apiVersion": "keypool.dev/v1alpha1",
            "kind": self.kind,
            "metadata": { "name": self.name },
            "spec": self.spec,
        })
    }
}

fn schema(kind: &str) -> Value {
    let yaml = match kind {
        "ModelProvider" => include_str!("../yaml/modelproviders.keypool.dev.yaml"),
        "LoadBalanceGroup" => include_str!("../yaml/loadbalancegroups.keypool.dev.yaml"),
        other => panic!("no definition of {other}"),
    };
    let definition: Value = serde_yaml::from_str(yaml).unwrap();
    definition
        .pointer("/spec/versions/0/schema/openAPIV3Schema")
        .unwrap()
        .clone()
}

/// Applies defaults as the API server does. kube-cel does not look into an object that is itself a default, so it goes twice.
fn apply_defaults(schema: &Value, object: &Value) -> Value {
    kube_cel::apply_defaults(schema, &kube_cel::apply_defaults(schema, object))
}

/// The messages of the rules that refuse an object once defaults are applied.
fn refusals(case: &Case) -> Vec<String> {
    let schema = schema(&case.kind);
    let object = apply_defaults(&schema, &case.object());
    match Validator::new().validate(&schema, &object, None) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
    }
}

#[test]
fn every_rule_refuses_with_its_message() {
    let cases: Vec<Case> = serde_yaml::from_str(include_str!("refused.yaml")).unwrap();
    let cases: Vec<Case> = cases.into_iter().filter(|case| case.by == "rule").collect();
    for case in &cases {
        let refusals = refusals(case);
        assert!(
            refusals.len() == 1 && refusals[0].contains(&case.message),
            "{}: wanted `{}`, got {refusals:?}",
            case.object(),
            case.message
        );
    }
    let mut rules = Vec::new();
    for kind in ["ModelProvider", "LoadBalanceGroup"] {
        messages(&schema(kind), &mut rules);
    }
    for rule in rules {
        assert!(
            cases.iter().any(|case| rule.contains(&case.message)),
            "no case shows the rule `{rule}`"
        );
    }
}

fn messages(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            for rule in object
                .get("x-kubernetes-validations")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                found.push(rule["message"].as_str().unwrap().into());
            }
            object.values().for_each(|value| messages(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| messages(item, found)),
        _ => {}
    }
}

#[test]
fn good_manifests_pass_and_decode() {
    let cases: Vec<Case> = serde_yaml::from_str(include_str!("accepted.yaml")).unwrap();
    for case in &cases {
        assert_eq!(refusals(case), Vec::<String>::new(), "{}", case.object());
        match case.kind.as_str() {
            "ModelProvider" => drop(serde_json::from_value::<ModelProvider>(case.object()).unwrap()),
            _ => drop(serde_json::from_value::<LoadBalanceGroup>(case.object()).unwrap()),
        }
    }
}

/// A program without an API server (local mode) must see the same object as one behind it.
#[test]
fn the_types_have_the_defaults_of_the_schema() {
    let cases: Vec<Case> = serde_yaml::from_str(include_str!("accepted.yaml")).unwrap();
    for case in &cases {
        let defaulted = apply_defaults(&schema(&case.kind), &case.object());
        match case.kind.as_str() {
            "ModelProvider" => {
                let bare: ModelProvider = serde_json::from_value(case.object()).unwrap();
                let full: ModelProvider = serde_json::from_value(defaulted).unwrap();
                assert_eq!(bare.spec, full.spec);
            }
            _ => {
                let bare: LoadBalanceGroup = serde_json::from_value(case.object()).unwrap();
                let full: LoadBalanceGroup = serde_json::from_value(defaulted).unwrap();
                assert_eq!(bare.spec, full.spec);
            }
        }
    }
}

#[test]
fn a_new_object_waits_and_columns_find_their_values() {
    let group = json!({"kind": "LoadBalanceGroup", "metadata": {"name": "a"},
        "spec": {"members": [{"name": "a", "providerRef": {"name": "p"}, "model": "m"}]}});
    let group = apply_defaults(&schema("LoadBalanceGroup"), &group);
    assert_eq!(group["spec"]["strategy"]["type"], "WeightedRoundRobin");
    assert_eq!(group["spec"]["proxy"]["replicas"], 2);
    let decoded: LoadBalanceGroup = serde_json::from_value(group).unwrap();
    assert_eq!(decoded.spec.strategy.type_, StrategyType::WeightedRoundRobin);

    let provider = json!({"kind": "ModelProvider", "metadata": {"name": "a"}, "spec": {"type": "OpenAI"}});
    let provider: ModelProvider =
        serde_json::from_value(apply_defaults(&schema("ModelProvider"), &provider)).unwrap();
    let conditions = provider.status.unwrap().conditions;
    let told: Vec<(&str, &str, &str)> = conditions
        .iter()
        .map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str()))
        .collect();
    let types = [
        "Accepted",
        "ResolvedRefs",
        "EndpointHealthy",
        "KeysHealthy",
        "Ready",
    ];
    assert_eq!(told, types.map(|type_| (type_, "Unknown", "Pending")));
}

#[test]
fn resources_become_the_container_s() {
    let group: LoadBalanceGroup = serde_json::from_value(
        json!({"apiVersion": "keypool.dev/v1alpha1", "kind": "LoadBalanceGroup",
        "metadata": {"name": "a"}, "spec": {"members": [],
        "proxy": {"resources": {"requests": {"cpu": 1}}}}}),
    )
    .unwrap();
    let resources = ResourceRequirements::from(&group.spec.proxy.resources.unwrap());
    assert_eq!(
        serde_json::to_value(resources).unwrap(),
        json!({"requests": {"cpu": "1"}})
    );
}

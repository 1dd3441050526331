//! From the schema that kube derives to one that the API server takes without warnings and that people can read.
//!
//! Rules, each for a reason: no `nullable` (an explicit null is then pruned and defaulted, not stored); no unsigned formats (the
//! API server warns about them); every list of objects is a map by its naming field and every list of strings a set (else two
//! field managers fight over whole lists); every string, list and map is bounded (the cost of CEL is estimated by the bounds);
//! defaults of leaves only, because a default of an object would be stored with every leaf in it.

use keypool_crds::v1alpha1::ConditionStatus;
use serde_json::{Map, Value, json};

mod gaps;
mod known;

pub(crate) use gaps::gaps;

/// What the naming fields of list entries are called, in the order in which they are looked for.
const LIST_KEYS: &[&str] = &["name", "type"];

/// Applies the rules to a root schema. `defaulted` are the objects that get `{}` for a default.
pub(crate) fn structural(root: &mut Value, defaulted: &[&str]) {
    visit(root, "", defaulted);
}

fn visit(schema: &mut Value, path: &str, defaulted: &[&str]) {
    known::replace(schema, path);
    if let Some(object) = schema.as_object_mut() {
        node(object, path, defaulted);
        if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
            for (name, property) in properties {
                visit(property, &format!("{path}/{name}"), defaulted);
            }
        }
        for (child, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
            if let Some(inner) = object.get_mut(child) {
                visit(inner, &format!("{path}{suffix}"), defaulted);
            }
        }
    }
}

fn node(schema: &mut Map<String, Value>, path: &str, defaulted: &[&str]) {
    schema.remove("nullable");
    schema.remove("title");
    if let Some(description) = schema.get_mut("description") {
        *description = one_line(description);
    }
    let unsigned = |format: &Value| format.as_str().is_some_and(|format| format.starts_with("uint"));
    if schema.get("format").is_some_and(unsigned) {
        schema.remove("format");
    }
    for bound in ["minimum", "maximum"] {
        if let Some(whole) = schema
            .get(bound)
            .and_then(Value::as_f64)
            .filter(|bound| bound.fract() == 0.0)
        {
            schema.insert(bound.into(), json!(whole as i64));
        }
    }
    let composite = |default: &Value| default.is_object() || default.is_array() || default.is_null();
    if path.starts_with("/status") || schema.get("default").is_some_and(composite) {
        schema.remove("default");
    }
    if defaulted.contains(&path) {
        schema.insert("default".into(), json!({}));
    }
    list_type(schema);
}

fn list_type(schema: &mut Map<String, Value>) {
    let Some(items) = schema.get("items") else { return };
    if items["type"] == "string" {
        schema.insert("x-kubernetes-list-type".into(), json!("set"));
    } else if let Some(key) = LIST_KEYS
        .iter()
        .find(|key| items["properties"].get(key).is_some())
    {
        schema.insert("x-kubernetes-list-type".into(), json!("map"));
        schema.insert("x-kubernetes-list-map-keys".into(), json!([key]));
    }
}

/// Doc comments are broken into lines for the source; paragraphs stay.
fn one_line(text: &Value) -> Value {
    let text = text.as_str().unwrap_or_default();
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect();
    json!(paragraphs.join("\n"))
}

/// The same value with the keys of every object in the order of the alphabet, whatever features of serde_json are on.
pub(crate) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(String, Value)> = object.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// The statuses that a condition may have, for the schema.
fn condition_statuses() -> Value {
    json!(ConditionStatus::ALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_loses_what_the_api_server_warns_about() {
        let mut schema = json!({"properties": {"spec": {"properties": {
            "a": {"type": "integer", "format": "uint32", "nullable": true, "minimum": 0.0, "default": 3},
            "b": {"type": "array", "items": {"type": "string"}, "default": []},
            "c": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
            "d": {"type": "object", "default": {"x": 1}, "description": "one\ntwo\n\nthree"},
        }}}});
        structural(&mut schema, &["/spec/d"]);
        let spec = &schema["properties"]["spec"]["properties"];
        assert_eq!(spec["a"], json!({"type": "integer", "minimum": 0, "default": 3}));
        assert_eq!(
            spec["b"],
            json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"})
        );
        assert_eq!(spec["c"]["x-kubernetes-list-map-keys"], json!(["name"]));
        assert_eq!(
            spec["d"],
            json!({"type": "object", "default": {}, "description": "one two\nthree"})
        );
    }
}

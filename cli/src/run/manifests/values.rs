//! The data of Secrets and ConfigMaps. What is wrong is told by the name of the data key; a value is never quoted.

use k8s_openapi::ByteString;
use serde_json::Value;

use super::schema::word;

const SECRET: [&str; 7] = [
    "apiVersion",
    "kind",
    "metadata",
    "type",
    "data",
    "stringData",
    "immutable",
];
const CONFIG_MAP: [&str; 6] = [
    "apiVersion",
    "kind",
    "metadata",
    "data",
    "binaryData",
    "immutable",
];

pub(super) fn check_secret(secret: &Value) -> Result<(), Vec<String>> {
    finish([
        fields(secret, &SECRET),
        bytes(secret, "data", "stringData"),
        texts(secret, "stringData"),
    ])
}

pub(super) fn check_config_map(map: &Value) -> Result<(), Vec<String>> {
    finish([
        fields(map, &CONFIG_MAP),
        bytes(map, "binaryData", "data"),
        texts(map, "data"),
    ])
}

fn finish(found: [Vec<String>; 3]) -> Result<(), Vec<String>> {
    let found = found.concat();
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// The names of unknown fields are not told either: a value that lost its indentation looks like one.
fn fields(object: &Value, known: &[&str]) -> Vec<String> {
    let unknown =
        |object: &serde_json::Map<String, Value>| object.keys().any(|name| !known.contains(&name.as_str()));
    if object.as_object().is_some_and(unknown) {
        return vec![format!(
            "has a field that is none of {}; look at its indentation",
            known.join(", ")
        )];
    }
    Vec::new()
}

fn texts(object: &Value, field: &str) -> Vec<String> {
    entries(object, field, |key, value| {
        (!value.is_string()).then(|| format!("{field}.{key} is {}; put it in quotes", word(value)))
    })
}

fn bytes(object: &Value, field: &str, plain: &str) -> Vec<String> {
    entries(object, field, |key, value| {
        let encoded = serde_json::from_value::<ByteString>(value.clone()).is_ok();
        (!encoded)
            .then(|| format!("{field}.{key} is not base64; encode it, or write it under {plain} as it is"))
    })
}

fn entries(object: &Value, field: &str, wrong: impl Fn(&str, &Value) -> Option<String>) -> Vec<String> {
    match object.get(field) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(entries)) => entries
            .iter()
            .filter_map(|(key, value)| wrong(key, value))
            .collect(),
        Some(other) => vec![format!(
            "{field} is {}; write a mapping of names to values",
            word(other)
        )],
    }
}

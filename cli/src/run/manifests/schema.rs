//! A spec against the schema of its definition, as the API server's strict validation would judge it.
//!
//! Unknown and missing fields, wrong types, words outside a set, patterns, bounds. Durations and rules across fields are the operator's, which
//! says them in the object's condition `Accepted`. Values are not quoted: a key may have been written into the wrong field.

use keypool_crds::v1alpha1::shared::text::DURATION;
use regex::Regex;
use serde_json::Value;

/// What is wrong with `value`, each with its place.
pub(super) fn check(schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(schema, value, path, &mut found);
    found
}

/// A field without a value counts as left out.
pub(super) fn prune_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(prune_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(prune_nulls),
        _ => {}
    }
}

/// What kind of value it is, in words.
pub(super) fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false without quotes",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn walk(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let mut wrong = |wanted: &str| found.push(format!("{path} is {}; write {wanted}", word(value)));
    let int_or_text = schema["x-kubernetes-int-or-string"] == Value::Bool(true);
    match (schema["type"].as_str(), value) {
        _ if int_or_text && (value.is_string() || value.is_i64()) => {}
        _ if int_or_text => wrong("text or a whole number"),
        (Some("object"), Value::Object(_)) => object(schema, value, path, found),
        (Some("object"), _) => wrong("a mapping"),
        (Some("array"), Value::Array(items)) => array(schema, items, path, found),
        (Some("array"), _) => wrong("a list"),
        (Some("string"), Value::String(text)) => string(schema, text, path, found),
        (Some("string"), _) => wrong("text, in quotes if need be"),
        (Some("integer"), Value::Number(number)) if number.is_i64() => {
            integer(schema, number.as_i64(), path, found)
        }
        (Some("integer"), _) => wrong("a whole number"),
        (Some("boolean"), Value::Bool(_)) => {}
        (Some("boolean"), _) => wrong("true or false"),
        _ => {}
    }
}

fn object(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let known = schema["properties"].as_object();
    let others = schema
        .get("additionalProperties")
        .filter(|others| others.is_object());
    for (name, value) in value.as_object().into_iter().flatten() {
        let place = format!("{path}.{name}");
        match (known.and_then(|known| known.get(name)), others) {
            (Some(schema), _) | (None, Some(schema)) => walk(schema, value, &place, found),
            (None, None) => {
                let names: Vec<&str> = known
                    .into_iter()
                    .flat_map(|known| known.keys().map(String::as_str))
                    .collect();
                found.push(format!(
                    "{place} is not a field; {path} knows {}",
                    names.join(", ")
                ));
            }
        }
    }
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if value.get(name).is_none() {
            found.push(format!("{path}.{name} is missing; add it"));
        }
    }
}

fn array(schema: &Value, items: &[Value], path: &str, found: &mut Vec<String>) {
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    bounds(
        &schema["minItems"],
        &schema["maxItems"],
        count,
        path,
        "entries",
        found,
    );
    for (index, item) in items.iter().enumerate() {
        let name = item.get("name").and_then(Value::as_str);
        let place = name.map_or_else(|| format!("{path}[{index}]"), |name| format!("{path}[{name}]"));
        walk(&schema["items"], item, &place, found);
    }
}

fn string(schema: &Value, text: &str, path: &str, found: &mut Vec<String>) {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        if !words.contains(&text) {
            found.push(format!(
                "{path} is none of the words that it may be; write {}",
                words.join(" or ")
            ));
        }
    }
    // Patterns are written in RE2's and this crate's common part.
    if let Some(pattern) = schema["pattern"].as_str()
        && pattern != DURATION
        && Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text))
    {
        found.push(format!(
            "{path} is not of the form that it must have; write what matches {pattern}"
        ));
    }
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    bounds(
        &schema["minLength"],
        &schema["maxLength"],
        length,
        path,
        "characters",
        found,
    );
}

fn integer(schema: &Value, number: Option<i64>, path: &str, found: &mut Vec<String>) {
    let number = number.unwrap_or(i64::MAX);
    // The generator writes bounds of numbers as numbers with a fraction.
    let whole = |bound: &Value| {
        bound
            .as_f64()
            .map_or(Value::Null, |bound| Value::from(bound as i64))
    };
    bounds(
        &whole(&schema["minimum"]),
        &whole(&schema["maximum"]),
        number,
        path,
        "",
        found,
    );
}

fn bounds(min: &Value, max: &Value, is: i64, path: &str, of: &str, found: &mut Vec<String>) {
    let (min, max) = (min.as_i64(), max.as_i64());
    if min.is_none_or(|min| is >= min) && max.is_none_or(|max| is <= max) {
        return;
    }
    let wanted = match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, max) => format!("at most {}", max.unwrap_or_default()),
    };
    let has = if of.is_empty() {
        format!("is {is}; write")
    } else {
        format!("has {is} {of}; write")
    };
    found.push(format!("{path} {has} {wanted}"));
}

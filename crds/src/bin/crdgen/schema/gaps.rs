//! What a schema must not leave open.

use serde_json::Value;

/// Every place of a root schema that has no bound or no description, as lines to print.
pub(crate) fn gaps(root: &Value) -> Vec<String> {
    let mut gaps = Vec::new();
    visit(root, "", &mut gaps);
    gaps
}

fn visit(schema: &Value, path: &str, gaps: &mut Vec<String>) {
    let open = match schema["type"].as_str() {
        Some("string") => {
            schema.get("maxLength").is_none()
                && schema.get("enum").is_none()
                && schema["format"] != "date-time"
        }
        Some("array") => schema.get("maxItems").is_none() || schema.get("x-kubernetes-list-type").is_none(),
        Some("integer") => {
            schema.get("minimum").is_none() || (path.starts_with("/spec") && schema.get("maximum").is_none())
        }
        Some("object") => schema.get("properties").is_none() && schema.get("maxProperties").is_none(),
        Some("boolean") => false,
        Some(_) => true,
        None => schema["x-kubernetes-int-or-string"] != true || schema.get("maxLength").is_none(),
    };
    if open {
        gaps.push(format!("{path}: no bound"));
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            let path = format!("{path}/{name}");
            if property["description"].as_str().is_none_or(str::is_empty) {
                gaps.push(format!("{path}: no description"));
            }
            visit(property, &path, gaps);
        }
    }
    for (child, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(inner) = schema.get(child) {
            visit(inner, &format!("{path}{suffix}"), gaps);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_open_end_is_named() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "description": "d", "properties": {
            "a": {"type": "string"},
            "b": {"type": "array", "description": "d", "maxItems": 1, "x-kubernetes-list-type": "set",
                  "items": {"type": "string"}},
            "c": {"type": "integer", "description": "d", "minimum": 0},
        }}}});
        assert_eq!(
            gaps(&schema),
            [
                "/spec/a: no description",
                "/spec/a: no bound",
                "/spec/b[]: no bound",
                "/spec/c: no bound"
            ]
        );
    }
}

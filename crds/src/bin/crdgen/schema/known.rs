//! Kubernetes' own types inside ours: k8s-openapi knows their shape but neither their bounds nor a short description.

use serde_json::{Value, json};

use super::condition_statuses;

/// Puts our schema of a known type in place of the derived one.
pub(super) fn replace(schema: &mut Value, path: &str) {
    if path == "/status/conditions[]" {
        *schema = condition();
    } else if path.ends_with("{}") && schema["x-kubernetes-int-or-string"] == true {
        *schema = quantity();
    } else if schema.get("additionalProperties").is_some() {
        schema["maxProperties"] = json!(8);
    }
}

/// The API server checks a quantity only where it knows the type: here it gets the pattern.
fn quantity() -> Value {
    json!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 32,
        "pattern": r"^(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[mkMGTPE]|([eE](\+|-)?[0-9]+))?$",
    })
}

/// The constraints of Kubernetes' own Condition, which its Rust type does not carry.
fn condition() -> Value {
    json!({
        "type": "object",
        "description": "One aspect of the state of the object.",
        "required": ["type", "status", "reason", "message", "lastTransitionTime"],
        "properties": {
            "type": {
                "type": "string",
                "description": "What it is about.",
                "maxLength": 316,
                "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
            },
            "status": {
                "type": "string",
                "description": "Whether it holds: True, False or Unknown.",
                "enum": condition_statuses(),
            },
            "reason": {
                "type": "string",
                "description": "Why, as a word of a closed set.",
                "minLength": 1,
                "maxLength": 1024,
                "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            },
            "message": {
                "type": "string",
                "description": "Why, as a sentence: what, where, and what to do about it.",
                "maxLength": 32768,
            },
            "observedGeneration": {
                "type": "integer",
                "format": "int64",
                "description": "The generation of the spec that it speaks of.",
                "minimum": 0,
            },
            "lastTransitionTime": {
                "type": "string",
                "format": "date-time",
                "description": "When its status changed last.",
            },
        },
    })
}

//! CEL rules that the API server checks, beside the types that they are about.

use serde_json::{Value, json};

/// A rule on a type or a field, with the sentence that a user reads when it fails: it names the field and the remedy.
pub(crate) fn rule(rule: impl Into<String>, message: &str) -> Value {
    json!({ "rule": rule.into(), "message": message })
}

/// The same, told at a field below the one that is checked, such as `.endpoint.url`.
pub(crate) fn rule_at(field_path: &str, cel: impl Into<String>, message: &str) -> Value {
    let mut rule = rule(cel, message);
    rule["fieldPath"] = field_path.into();
    rule
}

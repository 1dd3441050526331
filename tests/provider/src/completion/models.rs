//! The model list.

use serde_json::{Value, json};

use super::CREATED;

/// Shown when the scenario names no models.
pub(crate) const DEFAULT_MODELS: [&str; 4] =
    ["gpt-4o", "gpt-4o-mini", "gpt-5-mini", "text-embedding-3-small"];

pub(crate) fn model_list<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    json!({"object": "list", "data": ids.map(entry).collect::<Vec<_>>()}).to_string()
}

pub(crate) fn model(id: &str) -> String {
    entry(id).to_string()
}

fn entry(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": CREATED, "owned_by": "system"})
}

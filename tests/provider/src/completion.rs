//! The content of normal answers, in the published shapes, made from a 64-bit fingerprint of seed and request: the same
//! request gets the same bytes, whoever sends it and however often.

use crate::digest::mix;

mod chat;
mod embedding;
mod models;

pub(crate) use chat::{Chat, Usage};
pub(crate) use embedding::embeddings;
pub(crate) use models::{DEFAULT_MODELS, model, model_list};

/// A fixed instant, so that answers do not depend on the clock.
const CREATED: u64 = 1_760_000_000;

const WORDS: [&str; 64] = [
    "river", "stone", "light", "over", "quiet", "under", "north", "field", "amber", "cloud", "paper",
    "early", "winter", "signal", "open", "harbor", "seven", "green", "motion", "valley", "copper", "small",
    "garden", "evening", "circle", "steady", "bridge", "silver", "answer", "ocean", "marble", "candle",
    "forest", "gentle", "window", "thread", "lantern", "orbit", "summer", "meadow", "canvas", "echo",
    "pebble", "mirror", "island", "thunder", "velvet", "branch", "compass", "harvest", "kindle", "ladder",
    "morning", "needle", "pocket", "ribbon", "shelter", "timber", "violet", "whisper", "yellow", "anchor",
    "basket", "cactus",
];

/// The `n`th word of a text.
fn word(print: u64, n: u64) -> &'static str {
    WORDS[(mix(print ^ mix(n)) % 64) as usize]
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

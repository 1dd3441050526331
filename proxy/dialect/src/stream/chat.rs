//! One event of an OpenAI chat stream.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::usage::{Usage, WireUsage};

static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""error""#));
static FINISH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""finish_reason""#));
static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""usage""#));

/// An event's data, as far as it matters.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<WireUsage>,
    /// Groq's place for it.
    x_groq: Option<Groq>,
}

#[derive(Debug, Deserialize)]
struct Groq {
    usage: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    delta: Option<Map<String, Value>>,
    finish_reason: Option<Value>,
}

impl Chunk {
    /// `None` for what is no event of this dialect.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok()
    }

    /// Nothing that a client waits for: no choice, or a role and empty values only.
    pub(super) fn is_preamble(&self) -> bool {
        let Some(choices) = &self.choices else {
            return false;
        };
        choices.iter().all(|choice| {
            let mut delta = choice.delta.iter().flatten();
            choice.finish_reason.is_none() && delta.all(|(name, value)| name == "role" || is_nothing(value))
        })
    }

    /// The choices that end here.
    pub(super) fn finished(&self) -> impl Iterator<Item = u64> {
        let choices = self.choices.iter().flatten();
        choices
            .filter(|choice| choice.finish_reason.is_some())
            .map(|choice| choice.index)
    }

    /// The usage so far.
    pub(super) fn usage(&self) -> Option<Usage> {
        let groq = self.x_groq.as_ref().and_then(|groq| groq.usage.as_ref());
        self.usage.as_ref().or(groq).and_then(WireUsage::usage)
    }
}

/// The end marker.
pub(super) fn is_end(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]"
}

/// Does the data name an error that is not null? Content cannot: its quotes are escaped.
pub(super) fn may_be_error(data: &[u8]) -> bool {
    ERROR
        .find_iter(data)
        .any(|at| !is_null_after(data, at + ERROR.needle().len()))
}

/// Does the data hold a finish reason that is not null?
pub(super) fn may_finish(data: &[u8]) -> bool {
    FINISH
        .find_iter(data)
        .any(|at| !is_null_after(data, at + FINISH.needle().len()))
}

/// Does the data hold a usage that is not null?
pub(super) fn may_have_usage(data: &[u8]) -> bool {
    USAGE
        .find_iter(data)
        .any(|at| !is_null_after(data, at + USAGE.needle().len()))
}

fn is_null_after(data: &[u8], at: usize) -> bool {
    let value = data.get(at..).unwrap_or_default().trim_ascii_start();
    value
        .strip_prefix(b":")
        .is_some_and(|value| value.trim_ascii_start().starts_with(b"null"))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

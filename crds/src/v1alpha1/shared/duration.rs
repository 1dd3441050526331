//! A duration as users write it: `90s`, `1m30s`, `500ms`.
//!
//! What is written is kept, never normalised: a GitOps tool compares it with what stands in Git. The type holds the text and
//! decodes from any string, so that one odd object cannot break a watch; [`Duration::parse`] is the edge.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::text;

/// Longest text that the pattern allows: four numbers of five digits, each with a unit of two letters.
const MAX_LENGTH: usize = 4 * (5 + 2);
const MAX_PARTS: usize = 4;
const MAX_DIGITS: usize = 5;

/// A length of time, greater than zero.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Duration(String);

/// A text is not a duration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{text}` is not a duration: write one to four numbers with a unit each (h, m, s, ms), more than zero, such as 90s or 1m30s"
)]
pub struct DurationError {
    /// What was written.
    pub text: String,
}

impl Duration {
    /// Takes a text as it is; [`Duration::parse`] judges it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The length of time.
    ///
    /// # Errors
    /// If the text is not of the pattern of the schema, or is zero.
    pub fn parse(&self) -> Result<std::time::Duration, DurationError> {
        match milliseconds(&self.0) {
            Some(ms) if ms > 0 => Ok(std::time::Duration::from_millis(ms)),
            _ => Err(DurationError {
                text: self.0.chars().take(MAX_LENGTH).collect(),
            }),
        }
    }
}

fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0;
    for _ in 0..MAX_PARTS {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > MAX_DIGITS {
            return None;
        }
        let (number, after) = rest.split_at(digits);
        let unit = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(unit);
        let factor: u64 = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        total += number.parse::<u64>().ok()? * factor;
        rest = after;
        if rest.is_empty() {
            return Some(total);
        }
    }
    None
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = text::DURATION;
        json_schema!({
            "type": "string",
            "minLength": 2,
            "maxLength": MAX_LENGTH,
            "pattern": pattern,
            "x-kubernetes-validations": [{
                // CEL also runs on a text that the pattern has refused, and its own error would hide that message.
                "rule": format!("!self.matches('{pattern}') || duration(self) > duration('0s')"),
                "message": "a duration must be longer than zero; write for example 500ms, 90s or 1m30s, or leave the field out for its default",
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_what_they_say() {
        for (text, ms) in [
            ("1ms", 1),
            ("90s", 90_000),
            ("1m30s", 90_000),
            ("15m", 900_000),
            ("1h1m1s1ms", 3_661_001),
            ("00001s", 1_000),
            ("99999h99999h99999h99999h", 4 * 99_999 * 3_600_000),
        ] {
            assert_eq!(
                Duration::new(text).parse(),
                Ok(std::time::Duration::from_millis(ms)),
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "0s",
            "0h0ms",
            "5",
            "s",
            "1.5s",
            "-1s",
            "1d",
            "1S",
            " 1s",
            "1s ",
            "100000s",
            "1s1s1s1s1s",
            "1us",
            "1hm",
        ] {
            assert!(Duration::new(text).parse().is_err(), "{text}");
        }
    }
}

//! What the fake provider is told to be: its keys, limits and scripted rules.
//!
//! One document serves as scenario file (YAML or JSON), as body of `PUT /scenario` and as Rust value. An unknown field is
//! refused, because a misspelt rule that does nothing lets a test pass for the wrong reason.

use serde::{Deserialize, Serialize};

mod answer;
mod key;
mod latency;
mod rule;

pub use answer::{Answer, Body, Cut, CutHow, CutPoint, Ending, HeaderValues, Stream};
pub use key::{Key, KeyState, Limit};
pub use latency::Latency;
pub use rule::{Match, Patterns, Rule};

/// The whole behaviour of one fake provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scenario {
    /// Goes into every derived answer and every random delay.
    pub seed: u64,
    /// Accept any bearer token. Left out: only when no keys are given.
    pub any_key: Option<bool>,
    /// How answers are made.
    pub answers: Answers,
    /// Models that exist. Empty: every model exists, and a small default list is shown.
    pub models: Vec<String>,
    /// The key table.
    pub keys: Vec<Key>,
    /// Limits that really count.
    pub limits: Vec<Limit>,
    /// Scripted rules, the first that matches wins.
    pub rules: Vec<Rule>,
    /// How answers look when no rule changes them: delays, stream shape.
    pub normal: Answer,
}

/// How the content of a normal answer is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answers {
    /// From seed and request body: the same request always gets the same bytes.
    #[default]
    Derived,
    /// The same bytes for everybody and the request body is not read as JSON: for benchmarks. A stream is answered when the
    /// the beginning or the end of the body says `"stream":true`.
    Fixed,
}

/// Why a scenario could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The text is neither YAML nor JSON.
    #[error("scenario does not parse: {0}")]
    Parse(#[from] serde_yaml::Error),
    /// The text is not of the expected shape.
    #[error("scenario is not of the expected shape: {0}")]
    Shape(#[from] serde_json::Error),
    /// Two keys have the same name.
    #[error("key name {0:?} is used twice")]
    DuplicateName(String),
    /// Two keys have the same value.
    #[error("keys {0:?} and {1:?} have the same value")]
    DuplicateValue(String, String),
}

impl Scenario {
    /// Reads YAML or JSON (which is YAML) and checks it. By way of a JSON value, because choices with content (`refused: …`)
    /// would need tags in YAML alone.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let value: serde_json::Value = serde_yaml::from_str(text)?;
        let scenario: Self = serde_json::from_value(value)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Names and values of keys are unique.
    pub fn check(&self) -> Result<(), ScenarioError> {
        for (i, key) in self.keys.iter().enumerate() {
            for other in &self.keys[..i] {
                if other.name == key.name {
                    return Err(ScenarioError::DuplicateName(key.name.clone()));
                }
                if other.value == key.value {
                    return Err(ScenarioError::DuplicateValue(
                        other.name.clone(),
                        key.name.clone(),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether unknown bearer tokens are served.
    pub fn accepts_any_key(&self) -> bool {
        self.any_key.unwrap_or(self.keys.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yaml_scenario_reads_as_written() {
        let text = r#"
seed: 7
keys:
  - {name: a, value: sk-a, group: org-1}
  - {name: b, value: sk-b, state: revoked}
  - {name: c, value: sk-c, state: {refused: insufficient_quota}}
limits:
  - {group: org-1, requestsPerMinute: 3}
rules:
  - match: {key: a, model: "gpt-*"}
    times: 2
    answer: {error: rate_limit_exceeded, headers: {retry-after: "45"}}
  - match: {stream: true}
    answer: {delay: 20, cut: {at: beforeDone, how: reset}}
  - answer: {cut: {at: {bytes: 10}}, firstEvent: {uniform: {minMs: 1, maxMs: 2}}}
"#;
        let scenario = Scenario::parse(text).unwrap();
        assert_eq!(scenario.keys[1].state, KeyState::Revoked);
        assert_eq!(scenario.rules[0].times, Some(2));
        assert_eq!(
            scenario.rules[2].answer.cut.as_ref().unwrap().at,
            CutPoint::Bytes(10)
        );
        assert!(!scenario.accepts_any_key());
        let again: Scenario = serde_json::from_str(&serde_json::to_string(&scenario).unwrap()).unwrap();
        assert_eq!(scenario, again);
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        assert!(Scenario::parse("rules: [{anser: {}}]").is_err());
        assert!(Scenario::parse("keys: [{name: a, value: x}, {name: a, value: y}]").is_err());
        assert!(Scenario::parse("keys: [{name: a, value: x}, {name: b, value: x}]").is_err());
    }
}

//! Which requests a script is for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Answer;

/// One line of the script: for these requests, so often, this answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rule {
    /// For the log and for removing it. Left out: `rule-N`.
    pub name: Option<String>,
    /// The requests it is for. Empty: all.
    #[serde(rename = "match")]
    pub when: Match,
    /// Let this many matching requests pass first.
    pub skip: u64,
    /// Then of the matching requests only each n-th.
    pub every: Option<u64>,
    /// So often, then never again. Left out: for ever.
    pub times: Option<u64>,
    /// What is answered.
    pub answer: Answer,
}

impl Rule {
    /// A rule for all requests.
    pub fn new(answer: Answer) -> Self {
        Self {
            answer,
            ..Self::default()
        }
    }

    /// Only for this key.
    #[must_use]
    pub fn key(mut self, name: &str) -> Self {
        self.when.key.0.push(name.to_owned());
        self
    }

    /// Only for models that match.
    #[must_use]
    pub fn model(mut self, pattern: &str) -> Self {
        self.when.model.0.push(pattern.to_owned());
        self
    }

    /// Only for paths that match.
    #[must_use]
    pub fn path(mut self, pattern: &str) -> Self {
        self.when.path.0.push(pattern.to_owned());
        self
    }

    /// So often, then normal.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// With this name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }
}

/// Conditions on a request; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Match {
    /// Names of keys (`?` for a key that is not in the table, `-` for none).
    pub key: Patterns,
    /// Quota groups.
    pub group: Patterns,
    /// Models, as they arrive here.
    pub model: Patterns,
    /// Paths without query.
    pub path: Patterns,
    /// Methods.
    pub method: Patterns,
    /// Streamed or not.
    pub stream: Option<bool>,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, Patterns>,
}

/// One or several patterns in which `*` stands for any text. An empty list matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany", into = "Vec<String>")]
pub struct Patterns(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Patterns {
    fn from(value: OneOrMany) -> Self {
        match value {
            OneOrMany::One(one) => Self(vec![one]),
            OneOrMany::Many(many) => Self(many),
        }
    }
}

impl From<Patterns> for Vec<String> {
    fn from(value: Patterns) -> Self {
        value.0
    }
}

impl From<&str> for Patterns {
    fn from(value: &str) -> Self {
        Self(vec![value.to_owned()])
    }
}

impl Patterns {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of the patterns fits, or there is none.
    pub fn allow(&self, text: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| fits(pattern, text))
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    while let Some((middle, tail)) = rest.split_once('*') {
        let Some(found) = text.find(middle) else {
            return false;
        };
        text = &text[found + middle.len()..];
        rest = tail;
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-*", "gpt-4o", true),
            ("*", "", true),
            ("*mini", "gpt-4o-mini", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXc", false),
            ("a*a", "a", false),
            ("*/chat/*", "/v1/chat/completions", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}

//! The closed sets that metrics are labelled with.

use keypool_dialect::operation::Operation;
use prometheus_client::encoding::EncodeLabelSet;

/// How attempts end. A word that is not of the set counts as `other`: a label must never grow with what a provider says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Outcome(usize);

const OUTCOMES: [&str; 20] = [
    "success",
    "client",
    "too_big_for_key",
    "rate",
    "rate_long",
    "credit",
    "auth_dead",
    "auth_unclear",
    "model",
    "env",
    "overload",
    "server",
    "stream",
    "invalid",
    "refused",
    "dns_failed",
    "tls_invalid",
    "unanswered",
    "cancelled",
    "other",
];

impl Outcome {
    /// How many there are.
    pub(crate) const COUNT: usize = OUTCOMES.len();

    pub(crate) fn named(name: &str) -> Self {
        let place = OUTCOMES.iter().position(|known| *known == name);
        Self(place.unwrap_or(Self::COUNT - 1))
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    pub(crate) fn name(self) -> &'static str {
        OUTCOMES[self.0]
    }

    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// Operations that are counted, in the order of their meters.
pub(crate) const OPERATIONS: [&str; 5] = ["chat_completions", "embeddings", "models", "model", "other"];

/// Place of an operation in [`OPERATIONS`]; one that was not recognised is `other`.
pub(crate) fn operation(operation: Option<&Operation>) -> usize {
    match operation {
        Some(Operation::ChatCompletions) => 0,
        Some(Operation::Embeddings) => 1,
        Some(Operation::Models) => 2,
        Some(Operation::Model(_)) => 3,
        None => 4,
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(crate) struct RequestLabels {
    pub(crate) group: String,
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(crate) struct GroupLabels {
    pub(crate) group: String,
}

impl RequestLabels {
    pub(crate) fn new(group: &str, operation: usize, status: u16) -> Self {
        Self {
            group: group.to_owned(),
            operation: OPERATIONS[operation],
            status,
        }
    }
}

impl GroupLabels {
    pub(crate) fn new(group: &str) -> Self {
        Self {
            group: group.to_owned(),
        }
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(crate) struct LatencyLabels {
    pub(crate) group: String,
    pub(crate) member: String,
    pub(crate) operation: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(crate) struct AttemptLabels {
    pub(crate) group: String,
    pub(crate) member: String,
    pub(crate) credential: String,
    pub(crate) outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(crate) struct TokenLabels {
    pub(crate) group: String,
    pub(crate) member: String,
    pub(crate) direction: &'static str,
}

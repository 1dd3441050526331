//! A child that could not be read or written: what a person is told of it, and from when on.

use std::time::Duration;

use super::programmed::LATE_AFTER;
use crate::k8s::apply::ApplyError;
use crate::moment::Monotonic;

/// What may pass by itself is told when it lasted longer than two tries are ever apart.
const LASTING: Duration = Duration::from_secs(120);

/// A child that could not be read or written at the last pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What was tried.
    pub operation: &'static str,
    /// HTTP status, 0 when there was no answer.
    pub code: u16,
    /// What the API server said; empty for a Secret.
    pub text: String,
    /// When the first of the passes ended that failed one after the other.
    pub since: Monotonic,
}

impl Failure {
    /// What failed, where it was a request.
    pub fn of(error: &ApplyError, since: Monotonic) -> Option<Self> {
        let ApplyError::Request {
            kind,
            name,
            operation,
            code,
            text,
        } = error
        else {
            return None;
        };
        Some(Self {
            kind,
            name: name.clone(),
            operation,
            code: *code,
            text: text.clone(),
            since,
        })
    }

    /// Whether the API server finds the spec itself wrong: only the Deployment carries what the user wrote.
    pub(super) fn spec_is_refused(&self) -> bool {
        self.kind == "Deployment" && self.code == 422
    }

    /// From when on it is told. A decision of the API server is told at once.
    pub(super) fn told_at(&self) -> Monotonic {
        match self.code {
            408 | 409 | 429 => self.since + LASTING,
            400..500 => self.since,
            _ => self.since + LASTING,
        }
    }

    /// From when on it is no passing trouble of a spec on its way.
    pub(super) fn late_at(&self) -> Monotonic {
        self.since + LATE_AFTER
    }

    /// What, why, remedy.
    pub(super) fn sentence(&self) -> String {
        let Self {
            kind,
            name,
            operation,
            code,
            text,
            ..
        } = self;
        let said = if text.is_empty() {
            String::new()
        } else {
            format!(": {text}")
        };
        let remedy = match code {
            422 if self.spec_is_refused() => {
                "correct in spec.proxy what it names; the proxies keep what they have until then"
            }
            401 | 403 => {
                "give the operator's account the right, or change the quota or policy that refuses it; it is tried again by itself"
            }
            _ => "it is tried again by itself; the operator's log and the API server's say more",
        };
        format!("{kind} {name} could not be {operation} (status {code}{said}); {remedy}.")
    }
}

//! An attempt that brought no good answer: what it means, and what could be passed on of it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::response::Parts;
use keypool_dialect::outcome::{self, Outcome};

use super::opening::Opening;
use crate::pool::{Attempted, Target};
use crate::upstream::{Answer, UpstreamError};

/// An error's body is short; one that does not come is not waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why an attempt is no answer.
pub(super) enum Failure {
    /// The provider refused or failed, in words.
    Refused {
        outcome: Outcome,
        head: Parts,
        body: Bytes,
        target: Target,
    },
    /// The provider reported an error in a stream that had not begun otherwise.
    InStream { outcome: Outcome, opening: Opening },
    /// There was no answer.
    Unanswered(UpstreamError),
    /// The answer broke off before anything of it was passed on.
    BrokenOff,
}

impl Failure {
    /// Reads the body of an error answer and judges it.
    pub(super) async fn read(target: &Target, head: Parts, mut body: Answer) -> Self {
        let read = tokio::time::timeout(BODY_TIMEOUT, body.gather(outcome::BODY_LIMIT)).await;
        let body = read.ok().and_then(Result::ok).unwrap_or_default();
        let outcome = outcome::classify(
            target.provider().provider_type,
            head.status,
            &head.headers,
            &body,
            SystemTime::now(),
        );
        Self::Refused {
            outcome,
            head,
            body,
            target: target.clone(),
        }
    }

    /// What the pool learns.
    pub(super) fn attempted(&self) -> Attempted<'_> {
        match self {
            Self::Refused { outcome, .. } | Self::InStream { outcome, .. } => Attempted::Answered(outcome),
            Self::Unanswered(error) => error.attempted(),
            Self::BrokenOff => Attempted::Unanswered,
        }
    }
}

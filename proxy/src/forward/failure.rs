//! An attempt that brought no good answer: what it means, and what could be passed on of it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
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
    Refused(Box<Refused>),
    /// The provider reported an error in a stream that had not begun otherwise.
    InStream(Box<InStream>),
    /// There was no answer.
    Unanswered(UpstreamError),
    /// The answer broke off before anything of it was passed on.
    BrokenOff,
}

/// What a provider said.
pub(super) struct Refused {
    pub(super) outcome: Outcome,
    pub(super) head: Parts,
    pub(super) body: Bytes,
    pub(super) target: Target,
}

/// A stream whose first words are an error.
pub(super) struct InStream {
    pub(super) outcome: Outcome,
    pub(super) opening: Opening,
}

/// Whether a body is in a form that is not read here.
pub(super) fn is_compressed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

impl Failure {
    /// Reads the body of an error answer and judges it. A compressed one is as good as none: nobody can see what it says, nor
    /// whether it holds a key.
    pub(super) async fn read(target: &Target, head: Parts, mut body: Answer) -> Self {
        let body = if is_compressed(&head.headers) {
            Bytes::new()
        } else {
            let read = tokio::time::timeout(BODY_TIMEOUT, body.gather(outcome::BODY_LIMIT)).await;
            read.ok().and_then(Result::ok).unwrap_or_default()
        };
        let outcome = outcome::classify(
            target.provider().provider_type,
            head.status,
            &head.headers,
            &body,
            SystemTime::now(),
        );
        Self::Refused(Box::new(Refused {
            outcome,
            head,
            body,
            target: target.clone(),
        }))
    }

    /// What the provider's words mean, if it used any.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Refused(refused) => Some(&refused.outcome),
            Self::InStream(failed) => Some(&failed.outcome),
            Self::Unanswered(_) | Self::BrokenOff => None,
        }
    }

    /// What the pool learns.
    pub(super) fn attempted(&self) -> Attempted<'_> {
        match self {
            Self::Refused(refused) => Attempted::Answered(&refused.outcome),
            Self::InStream(failed) => Attempted::Answered(&failed.outcome),
            Self::Unanswered(error) => error.attempted(),
            Self::BrokenOff => Attempted::Unanswered,
        }
    }
}

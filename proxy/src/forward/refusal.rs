//! Keypool's own errors: a code, words for a person, and advice to the client's library.
//!
//! The advice keeps libraries from multiplying our attempts. They obey `Retry-After` for hours or not at all, so it is never more than a
//! minute; `x-should-retry: false` stops those that would try again at once although waiting does not help, or although Keypool has
//! tried already.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use keypool_dialect::answer::{self, Code};

use super::client_body::ClientBody;
use crate::inbound::{AFTER_ERROR, Pulse};
use crate::telemetry::Record;

/// The longest time that a client is told to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Retry-After in milliseconds, which most SDKs prefer.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// Read by the SDKs of OpenAI and Anthropic before they decide themselves.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Names the request in logs.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-keypool-request-id");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What the client's library should do next.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Advice {
    /// When something may have changed.
    after: Option<Duration>,
    /// Not to repeat it by itself.
    stop: bool,
}

/// An error of Keypool's own.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: Code,
    message: Cow<'static, str>,
    param: Option<&'static str>,
    allow: Option<&'static str>,
    advice: Advice,
    close: bool,
}

impl Advice {
    /// Again after this time; where that is too long for a library to wait, not by itself.
    pub(crate) fn after(wait: Duration) -> Self {
        Self {
            after: Some(wait),
            stop: wait > LONGEST_WAIT,
        }
    }

    /// Again after whole seconds.
    pub(crate) fn after_secs(seconds: u64) -> Self {
        Self::after(Duration::from_secs(seconds))
    }

    /// Waiting does not help.
    pub(crate) fn stop() -> Self {
        Self::default().and_stop(true)
    }

    /// Nor should it be repeated by itself.
    pub(crate) fn and_stop(mut self, stop: bool) -> Self {
        self.stop |= stop;
        self
    }

    /// Says it in an answer's head, in place of what stands there.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        headers.remove(RETRY_AFTER);
        headers.remove(RETRY_AFTER_MS);
        if let Some(wait) = self.after {
            let wait = wait.min(LONGEST_WAIT);
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            headers.insert(RETRY_AFTER, HeaderValue::from(millis.div_ceil(1000).max(1)));
            headers.insert(RETRY_AFTER_MS, HeaderValue::from(millis));
        }
        if self.stop {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
    }
}

impl Refusal {
    /// A refusal with a message for the person who reads it.
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            param: None,
            allow: None,
            advice: Advice::default(),
            close: false,
        }
    }

    /// What went wrong, as clients see it.
    #[cfg(test)]
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// Names the field that is wrong.
    pub(crate) fn naming(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    /// Names the method that would be right.
    pub(crate) fn allowing(mut self, allow: &'static str) -> Self {
        self.allow = Some(allow);
        self
    }

    /// Tells the client's library what to do.
    pub(crate) fn advising(mut self, advice: Advice) -> Self {
        self.advice = advice;
        self
    }

    /// The connection ends with this answer.
    pub(crate) fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// The answer.
    pub(crate) fn respond(self, mut record: Record, pulse: Arc<Pulse>) -> Response<ClientBody> {
        let status = self.code.status();
        record.answered(status, Some(self.code.as_str()));
        let id = record.id().header();
        let body = answer::error(self.code, &self.message, self.param);
        let mut response = Response::new(ClientBody::whole(body.into(), record, pulse));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(REQUEST_ID, id);
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.close {
            headers.insert(CONNECTION, AFTER_ERROR);
        }
        self.advice.apply(headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_bounded_and_truthful() {
        let ms = Duration::from_millis;
        for (advice, want) in [
            (Advice::default(), [None, None, None]),
            (Advice::stop(), [None, None, Some("false")]),
            (Advice::after(ms(11_840)), [Some("12"), Some("11840"), None]),
            (Advice::after(ms(1)), [Some("1"), Some("1"), None]),
            (Advice::after(ms(0)), [Some("1"), Some("0"), None]),
            (Advice::after(ms(60_000)), [Some("60"), Some("60000"), None]),
            (
                Advice::after(ms(60_001)),
                [Some("60"), Some("60000"), Some("false")],
            ),
            (
                Advice::after(Duration::MAX),
                [Some("60"), Some("60000"), Some("false")],
            ),
            (
                Advice::after_secs(3).and_stop(true),
                [Some("3"), Some("3000"), Some("false")],
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static("86400"));
            advice.apply(&mut headers);
            let said = [RETRY_AFTER, RETRY_AFTER_MS, SHOULD_RETRY].map(|name| headers.get(name).cloned());
            let said = said
                .each_ref()
                .map(|value| value.as_ref().map(|value| value.to_str().unwrap()));
            assert_eq!(said, want, "{advice:?}");
        }
    }
}

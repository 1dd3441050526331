//! One file per provider type: what its errors mean and how its keys are checked.
//!
//! The order of the rules is the same for all that speak OpenAI's dialect: a code that is known decides, then a type
//! that is known, then words (which are never as sure as a code), then the status. Words and statuses differ by
//! provider; the codes are one table.

mod codes;
mod compatible;
mod error_body;
mod openai;
mod status;
mod words;

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use keypool_contract::ProviderType;

use crate::hints;
use crate::outcome::{BODY_LIMIT, Class, Form, Outcome, form};
use crate::probe::ProbeVerdict;
use error_body::ErrorBody;

/// From here on a limit is not one that a short wait mends.
const LONG: Duration = Duration::from_secs(3600);

/// The outcome of an answer with a status that is not 2xx.
pub(crate) fn classify(
    provider: ProviderType,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Outcome {
    if status.is_success() {
        return Outcome::success();
    }
    let error = ErrorBody::read(headers, body);
    let outcome = match provider {
        ProviderType::OpenAI => openai::classify(status, &error),
        ProviderType::OpenAICompatible => compatible::classify(status, &error),
    };
    hinted(outcome, headers, body, now)
}

/// The outcome of a 2xx that is not a stream, by its body.
pub(crate) fn answered(provider: ProviderType, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Outcome {
    match form(headers, body) {
        None => {
            return Outcome {
                may_have_run: true,
                ..Outcome::new(Class::Invalid, "empty_answer")
            };
        }
        Some(Form::Page) => return Outcome::new(Class::Env, "html"),
        Some(Form::Events | Form::Other) => {}
    }
    // An error is short; an answer that does not name one is none.
    let names_error = body.len() <= BODY_LIMIT && memchr::memmem::find(body, b"\"error\"").is_some();
    if names_error {
        in_band(provider, headers, body, now).unwrap_or_else(Outcome::success)
    } else {
        Outcome::success()
    }
}

/// The outcome of an error object inside an answer with status 200; `None` if there is no error in it.
pub(crate) fn in_band(
    provider: ProviderType,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Option<Outcome> {
    let error = ErrorBody::read(headers, body);
    let ErrorBody::Error(fields) = &error else {
        return None;
    };
    // The status that it would have had: said by the error itself, or by its code.
    let status = fields.number.and_then(|number| StatusCode::from_u16(number).ok());
    let status = status
        .filter(|status| status.as_u16() >= 400)
        .or_else(|| codes::usual_status(fields));
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let outcome = match provider {
        ProviderType::OpenAI => openai::classify(status, &error),
        ProviderType::OpenAICompatible => compatible::classify(status, &error),
    };
    Some(hinted(outcome, headers, body, now))
}

/// What a validation call showed.
pub(crate) fn probed(
    provider: ProviderType,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> ProbeVerdict {
    let outcome = classify(provider, status, headers, body, now);
    match provider {
        ProviderType::OpenAI => openai::probed(&outcome),
        ProviderType::OpenAICompatible => compatible::probed(status, &outcome),
    }
}

/// Adds the hint where waiting can help, and tells a long limit from a short one.
fn hinted(mut outcome: Outcome, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Outcome {
    if matches!(
        outcome.class,
        Class::Rate | Class::RateLong | Class::Credit | Class::Overload | Class::Server
    ) {
        outcome.hint = hints::read(headers, body, now);
    }
    if outcome.class == Class::Rate && outcome.hint.is_some_and(|hint| hint >= LONG) {
        outcome.class = Class::RateLong;
    }
    outcome
}

#[cfg(test)]
mod tests;

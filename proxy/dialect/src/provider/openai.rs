//! OpenAI's own API. It always answers in JSON, so anything else comes from an edge before it.

use http::StatusCode;

use super::error_body::ErrorBody;
use super::{codes, status, words};
use crate::outcome::{Class, Outcome};
use crate::probe::ProbeVerdict;

/// The codes of a dead key.
const DEAD_KEY: [&str; 2] = ["invalid_api_key", "account_deactivated"];

/// What an error means.
pub(super) fn classify(at: StatusCode, error: &ErrorBody) -> Outcome {
    if let Some(outcome) = error
        .fields()
        .and_then(|fields| said(at, error, codes::outcome(at, fields)))
    {
        return outcome;
    }
    let from_edge = matches!(error, ErrorBody::Html | ErrorBody::Text(_));
    let code = status::code(at.as_u16());
    match at.as_u16() {
        401 | 403 if from_edge => Outcome::new(Class::Env, "edge_page"),
        429 if from_edge => Outcome::new(Class::Overload, "edge_page"),
        401 | 403 => Outcome::new(Class::AuthUnclear, code),
        429 => Outcome::new(Class::Rate, code),
        _ => status::outcome(at, error),
    }
}

/// What code and words of an error say together. Shared with those who speak this dialect.
pub(super) fn said(at: StatusCode, error: &ErrorBody, by_code: Option<Outcome>) -> Option<Outcome> {
    let message = error.message();
    let number = at.as_u16();
    let code = status::code(number);
    if let Some(outcome) = by_code {
        return Some(match outcome.class {
            // Waiting never makes it fit, and the request decided it: nothing may cool.
            Class::Rate if words::too_big(message) => Outcome::new(Class::TooBigForKey, "request_too_large"),
            Class::Rate if words::long_limit(message) => Outcome {
                class: Class::RateLong,
                ..outcome
            },
            _ => outcome,
        });
    }
    match number {
        401 | 403 if words::missing_rights(message) => Some(Outcome::new(Class::Model, "missing_scopes")),
        401 | 403 if words::egress(message) => Some(Outcome::new(Class::Env, "egress_refused")),
        401 if words::no_organisation(message) => Some(Outcome::new(Class::AuthDead, "no_organization")),
        403 if words::content_refused(message) => Some(Outcome::new(Class::Client, code)),
        403 if error.fields().is_some_and(words::model) => {
            Some(Outcome::new(Class::Model, "no_model_access"))
        }
        429 if words::too_big(message) => Some(Outcome::new(Class::TooBigForKey, "request_too_large")),
        429 if words::long_limit(message) => Some(Outcome::new(Class::RateLong, code)),
        _ => None,
    }
}

/// What the answer to `GET /models` shows. A restricted key may lack the right to list and work all the same, so only
/// a dead key's code is proof.
pub(super) fn probed(outcome: &Outcome) -> ProbeVerdict {
    match outcome.class {
        Class::Success => ProbeVerdict::Valid,
        Class::AuthDead if DEAD_KEY.contains(&outcome.code) => ProbeVerdict::Dead { code: outcome.code },
        Class::Rate | Class::RateLong | Class::TooBigForKey => {
            ProbeVerdict::RateLimited { hint: outcome.hint }
        }
        Class::Credit => ProbeVerdict::CreditExhausted,
        Class::Overload | Class::Server | Class::Invalid | Class::Env | Class::Stream => {
            ProbeVerdict::ServerFault
        }
        Class::AuthDead | Class::AuthUnclear | Class::Model | Class::Client => ProbeVerdict::NotVerifiable,
    }
}

//! Servers that speak OpenAI's protocol: vLLM, gateways, own services. Their codes are often numbers, their errors flat,
//! a web framework's or plain text; a bare 401 is all that many say about a wrong key.

use http::StatusCode;

use super::error_body::ErrorBody;
use super::{codes, openai, status};
use crate::outcome::{Class, Outcome};
use crate::probe::ProbeVerdict;

/// A 401 with a code that we do not know.
const UNKNOWN_CODE: &str = "unknown_code";

/// What an error means.
pub(super) fn classify(at: StatusCode, error: &ErrorBody) -> Outcome {
    let said = error
        .fields()
        .and_then(|fields| openai::said(at, error, codes::outcome(at, fields)));
    if let Some(outcome) = said {
        return outcome;
    }
    let code = status::code(at.as_u16());
    match at.as_u16() {
        401 | 403 if *error == ErrorBody::Html => Outcome::new(Class::Env, "edge_page"),
        429 if *error == ErrorBody::Html => Outcome::new(Class::Overload, "edge_page"),
        // It has codes, and this one is not of a dead key.
        401 if error.fields().is_some_and(|fields| fields.code.is_some()) => {
            Outcome::new(Class::AuthUnclear, UNKNOWN_CODE)
        }
        // It has none: then this is how it refuses a key. Never as sure as a code, for the request may have earned it.
        401 => Outcome::new(Class::AuthDead, code),
        403 => Outcome::new(Class::AuthUnclear, code),
        429 => Outcome::new(Class::Rate, code),
        _ => status::outcome(at, error),
    }
}

/// What the answer to `GET /models` shows.
pub(super) fn probed(at: StatusCode, outcome: &Outcome) -> ProbeVerdict {
    match outcome.class {
        Class::AuthDead => ProbeVerdict::Dead { code: outcome.code },
        // No such call here: a server without a list of models.
        Class::Env if matches!(at.as_u16(), 404 | 405) => ProbeVerdict::NotVerifiable,
        _ => openai::probed(outcome),
    }
}

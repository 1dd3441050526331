//! What a status says when nothing in the body says more; and the words for it in logs.

use http::StatusCode;

use super::error_body::ErrorBody;
use super::words;
use crate::outcome::{Class, Outcome};

/// The rules that hold for all who speak this dialect. 401, 403 and 429 are decided before.
pub(super) fn outcome(status: StatusCode, error: &ErrorBody) -> Outcome {
    let number = status.as_u16();
    let class = match number {
        300..400 => return Outcome::new(Class::Env, "redirect"),
        // The method and the path behind the base URL are ours: a client cannot have chosen them.
        404 if words::no_such_path(error) => return Outcome::new(Class::Env, "no_such_path"),
        405 => return Outcome::new(Class::Env, "no_such_path"),
        404 if error.fields().is_some_and(words::model) => Class::Model,
        402 if *error == ErrorBody::Html => Class::Env,
        402 => {
            return Outcome {
                machine_code: true,
                ..Outcome::new(Class::Credit, code(number))
            };
        }
        407 => Class::Env,
        408 => Class::Server,
        498 if words::content_refused(error.message()) => Class::Client,
        498 | 503 | 529 => Class::Overload,
        400..500 => Class::Client,
        500..600 => Class::Server,
        _ => Class::Invalid,
    };
    // The server took the request and did not say what became of it.
    let may_have_run = matches!(number, 408 | 504 | 520 | 524);
    Outcome {
        may_have_run,
        ..Outcome::new(class, code(number))
    }
}

/// A status as a word for logs: those that occur by themselves, the others by their hundred.
pub(super) fn code(status: u16) -> &'static str {
    const NAMED: [(u16, &str); 18] = [
        (400, "http_400"),
        (401, "http_401"),
        (402, "http_402"),
        (403, "http_403"),
        (404, "http_404"),
        (407, "http_407"),
        (408, "http_408"),
        (409, "http_409"),
        (413, "http_413"),
        (422, "http_422"),
        (429, "http_429"),
        (498, "http_498"),
        (499, "http_499"),
        (500, "http_500"),
        (502, "http_502"),
        (503, "http_503"),
        (504, "http_504"),
        (529, "http_529"),
    ];
    let named = NAMED.into_iter().find(|(number, _)| *number == status);
    named.map_or_else(|| hundred(status), |(_, code)| code)
}

fn hundred(status: u16) -> &'static str {
    match status {
        400..500 => "http_4xx",
        // What an edge says about its way to the server behind it.
        520..528 => "http_52x",
        500..520 | 528..600 => "http_5xx",
        _ => "http_other",
    }
}

//! The shapes in which errors come.

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::outcome::{self, Form};

/// An error's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ErrorBody {
    /// Nothing, or white space.
    Empty,
    /// A page from something that is not the API.
    Html,
    /// Neither JSON nor HTML.
    Text(String),
    /// JSON that says what is wrong.
    Error(Fields),
    /// JSON of no known shape.
    Other,
}

/// What an error says. The texts are in lower case, because only their words are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// The sentence for people.
    pub(super) message: String,
    /// `type`
    pub(super) kind: Option<String>,
    /// `code`, where it is a word: a number or a number in quotes repeats the status.
    pub(super) code: Option<String>,
    /// `code`, where it is a number.
    pub(super) number: Option<u16>,
    /// `param`
    pub(super) param: Option<String>,
    /// It is a bare `{"detail": …}`: a web framework's answer, before the API had a word.
    pub(super) from_framework: bool,
    /// `details[].reason`, as Google's servers send it.
    pub(super) reasons: Vec<String>,
}

impl ErrorBody {
    /// Reads a body of at most a few KiB.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let body = body.trim_ascii();
        if body.is_empty() {
            return Self::Empty;
        }
        if outcome::form(headers, body) == Some(Form::Page) {
            return Self::Html;
        }
        match serde_json::from_slice(body) {
            Ok(value) => Self::of(value),
            // A cut JSON body is still JSON: its status is all that can be used.
            Err(_) if body.starts_with(b"{") || body.starts_with(b"[") => Self::Other,
            Err(_) => Self::Text(String::from_utf8_lossy(body).to_lowercase()),
        }
    }

    /// What it says, where it says anything.
    pub(super) fn fields(&self) -> Option<&Fields> {
        match self {
            Self::Error(fields) => Some(fields),
            _ => None,
        }
    }

    /// The words for people.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Error(fields) => &fields.message,
            Self::Text(text) => text,
            Self::Empty | Self::Html | Self::Other => "",
        }
    }

    fn of(value: Value) -> Self {
        let value = match value {
            // Google wraps an error in an array.
            Value::Array(mut values) if values.len() == 1 => values.remove(0),
            value => value,
        };
        let Value::Object(mut object) = value else {
            return Self::Other;
        };
        match object.remove("error") {
            Some(Value::Object(error)) => Self::Error(Fields::of(&error)),
            Some(Value::String(message)) => Self::Error(Fields {
                message: message.to_lowercase(),
                ..Fields::of(&object)
            }),
            Some(Value::Null) | None => Self::flat(&object),
            Some(_) => Self::Other,
        }
    }

    /// An error without an `error` around it.
    fn flat(object: &Map<String, Value>) -> Self {
        if let Some(detail) = object.get("detail") {
            let message = match detail {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let message = message.to_lowercase();
            return Self::Error(Fields {
                message,
                from_framework: true,
                ..Fields::default()
            });
        }
        let is_error = object.get("object").is_some_and(|kind| kind == "error")
            || object.get("type").is_some_and(|kind| kind == "error")
            || object.contains_key("message");
        if is_error {
            Self::Error(Fields::of(object))
        } else {
            Self::Other
        }
    }
}

impl Fields {
    fn of(error: &Map<String, Value>) -> Self {
        let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_lowercase);
        let code = text("code").filter(|code| !code.is_empty());
        let number = match (error.get("code"), &code) {
            (Some(Value::Number(number)), _) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
            (_, Some(code)) => code.parse().ok(),
            _ => None,
        };
        let reasons = error
            .get("details")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let reasons = reasons
            .filter_map(|detail| detail.get("reason")?.as_str())
            .map(str::to_lowercase);
        Self {
            message: text("message").unwrap_or_default(),
            kind: text("type").or_else(|| text("status")),
            code: code.filter(|_| number.is_none()),
            number,
            param: text("param"),
            from_framework: false,
            reasons: reasons.collect(),
        }
    }
}

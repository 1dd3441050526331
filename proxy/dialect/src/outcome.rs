//! What an attempt taught us, as data.
//!
//! A status alone is never enough: 400 can be a spent credit, 401 an address that is not allowed, 429 a limit, an empty
//! account or a request that no waiting will make fit. So status, headers and up to 64 KiB of body become one
//! [`Outcome`]; who acts on it (key, model, provider, nobody) and whether another attempt is allowed follows from that.

use std::time::{Duration, SystemTime};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use keypool_contract::ProviderType;

use crate::provider;

/// At most this much of an error body is looked at.
pub const BODY_LIMIT: usize = 64 * 1024;

/// What happened, in the classes of the error tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Answered.
    Success,
    /// The request is wrong. Nothing cools down; the provider's body goes to the client unchanged.
    Client,
    /// Larger than this key's allowance per minute: waiting never helps, another key may serve it, nothing cools down.
    TooBigForKey,
    /// A short limit.
    Rate,
    /// A limit by the day or month.
    RateLong,
    /// Out of money, spend cap or hard limit.
    Credit,
    /// The key is refused, with a code or words that say so, or with 401 by a server that sends no codes.
    AuthDead,
    /// 401 or 403 that proves nothing: the key, its rights, or the request.
    AuthUnclear,
    /// This key may not use this model, or the model is not there.
    Model,
    /// Egress address, region, TLS, DNS, a page from something that is not the API: the provider's surroundings.
    Env,
    /// The provider sheds load.
    Overload,
    /// The provider failed.
    Server,
    /// A stream failed after its first content.
    Stream,
    /// An answer that cannot be understood.
    Invalid,
}

/// Whom an outcome concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Nobody: nothing is cooled or counted.
    Nothing,
    /// The credential alone, for all models.
    Credential,
    /// The credential, for this model.
    CredentialModel,
    /// All credentials of the quota group, for all models.
    QuotaGroup,
    /// All credentials of the quota group, for this model.
    QuotaGroupModel,
    /// The provider's endpoint.
    Provider,
    /// The provider, for this model.
    ProviderModel,
}

/// What an attempt taught us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What happened.
    pub class: Class,
    /// Whom it concerns.
    pub scope: Scope,
    /// It was said with a code that cannot depend on the request, so that a poisonous request cannot earn it.
    pub machine_code: bool,
    /// The provider may have executed the request although it did not answer it.
    pub may_have_run: bool,
    /// When the provider says that it may be asked again; from now, neither clamped nor jittered.
    pub hint: Option<Duration>,
    /// A word for logs, out of a closed set: the provider's code where it is a known one, otherwise ours.
    pub code: &'static str,
}

impl Outcome {
    /// An outcome of a class with that class's usual scope, without code or hint.
    pub fn new(class: Class, code: &'static str) -> Self {
        Self {
            class,
            scope: class.usual_scope(),
            machine_code: false,
            may_have_run: false,
            hint: None,
            code,
        }
    }

    /// Answered.
    pub fn success() -> Self {
        Self::new(Class::Success, "ok")
    }
}

impl Class {
    /// The name in metrics and logs; a closed set.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Client => "client",
            Self::TooBigForKey => "too_big_for_key",
            Self::Rate => "rate",
            Self::RateLong => "rate_long",
            Self::Credit => "credit",
            Self::AuthDead => "auth_dead",
            Self::AuthUnclear => "auth_unclear",
            Self::Model => "model",
            Self::Env => "env",
            Self::Overload => "overload",
            Self::Server => "server",
            Self::Stream => "stream",
            Self::Invalid => "invalid",
        }
    }

    /// Whom an outcome of this class concerns, where its code does not say otherwise.
    pub fn usual_scope(self) -> Scope {
        match self {
            Self::Success | Self::Client | Self::TooBigForKey => Scope::Nothing,
            Self::Rate | Self::RateLong => Scope::QuotaGroupModel,
            Self::Credit => Scope::QuotaGroup,
            Self::AuthDead | Self::AuthUnclear => Scope::Credential,
            Self::Model => Scope::CredentialModel,
            Self::Env => Scope::Provider,
            Self::Overload | Self::Server | Self::Stream | Self::Invalid => Scope::ProviderModel,
        }
    }
}

/// Classifies an answer by status, headers and the beginning of its body (more than [`BODY_LIMIT`] is not looked at).
/// `now` is the wall clock, for hints that are dates. A 2xx is a success: what its body holds is the stream's or
/// [`answered`]'s business.
pub fn classify(
    provider: ProviderType,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Outcome {
    let body = body.get(..BODY_LIMIT).unwrap_or(body);
    provider::classify(provider, status, headers, body, now)
}

/// Classifies the body of a 2xx answer that is not a stream: some servers commit 200 and then report the error in the
/// body. Cheap for an answer that is none.
pub fn answered(provider: ProviderType, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Outcome {
    provider::answered(provider, headers, body, now)
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A web page, which a portal or a login in front of the provider shows.
    Page,
    /// A stream of events.
    Events,
    /// JSON, or something that is judged as if it were.
    Other,
}

/// What the body of an answer is, by its beginning. A page begins with `<`; other words are one where they are called HTML, and JSON and
/// events are none whatever they are called: servers leave the type to a framework that calls everything HTML. `None` while nothing but
/// blanks has come, or what may become the beginning of an event.
pub fn form(headers: &HeaderMap, beginning: &[u8]) -> Option<Form> {
    let beginning = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
    let text = beginning.trim_ascii_start();
    match text.first()? {
        b'<' => Some(Form::Page),
        b'{' | b'[' => Some(Form::Other),
        _ if EVENT_FIELDS.iter().any(|field| text.starts_with(field)) => Some(Form::Events),
        _ if EVENT_FIELDS.iter().any(|field| field.starts_with(text)) => None,
        _ if is_called_page(headers) => Some(Form::Page),
        _ => Some(Form::Other),
    }
}

/// How a stream of events begins; the last one is a comment.
const EVENT_FIELDS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];

/// Whether an answer's head says that its body is a web page.
pub fn is_called_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    let kind = kind.and_then(|kind| kind.get(..b"text/html".len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"))
}

//! Keypool's own answers, in the dialect's shape.

use bytes::Bytes;
use http::StatusCode;

use crate::stream::Position;

/// The codes of Keypool's own errors; a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// What the client must change.
    InvalidRequest,
    /// A field that we read stands twice.
    DuplicateField,
    /// The request names a member that the group does not have.
    UnknownMember,
    /// No or unknown client key.
    InvalidClientKey,
    /// The client key may not use this model.
    ModelNotAllowed,
    /// No such model here.
    ModelNotFound,
    /// No such operation here.
    UnsupportedPath,
    /// The operation takes another method.
    UnsupportedMethod,
    /// The client did not send its request in time.
    RequestTimeout,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// A compressed body.
    CompressedBody,
    /// The head is larger than the limit.
    HeaderTooLarge,
    /// Nothing can serve, because of limits: waiting helps.
    Limited,
    /// Nothing can serve, for other reasons.
    NoUsableKey,
    /// The queue is full.
    QueueFull,
    /// The client key's own limit.
    ClientLimit,
    /// The provider's answer could not be understood.
    UpstreamInvalid,
    /// The provider cannot be reached or fails.
    ProviderDown,
    /// This replica is shutting down.
    Draining,
    /// The provider did not answer in time; it may have worked on the request.
    UpstreamTimeout,
    /// The provider's stream broke off (in a stream only).
    UpstreamCut,
    /// Our fault.
    Internal,
}

impl Code {
    /// The `code` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::DuplicateField => "duplicate_field",
            Self::UnknownMember => "unknown_member",
            Self::InvalidClientKey => "invalid_client_key",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::ModelNotFound => "model_not_found",
            Self::UnsupportedPath => "unsupported_path",
            Self::UnsupportedMethod => "unsupported_method",
            Self::RequestTimeout => "request_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::CompressedBody => "compressed_body",
            Self::HeaderTooLarge => "header_too_large",
            Self::Limited | Self::NoUsableKey => "no_usable_key",
            Self::QueueFull => "queue_full",
            Self::ClientLimit => "client_limit",
            Self::UpstreamInvalid => "upstream_invalid",
            Self::ProviderDown => "provider_down",
            Self::Draining => "draining",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamCut => "upstream_cut",
            Self::Internal => "internal",
        }
    }

    /// The status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::DuplicateField | Self::UnknownMember => StatusCode::BAD_REQUEST,
            Self::InvalidClientKey => StatusCode::UNAUTHORIZED,
            Self::ModelNotAllowed => StatusCode::FORBIDDEN,
            Self::ModelNotFound | Self::UnsupportedPath => StatusCode::NOT_FOUND,
            Self::UnsupportedMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::CompressedBody => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Limited | Self::QueueFull | Self::ClientLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::NoUsableKey | Self::ProviderDown | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamInvalid | Self::UpstreamCut => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `type` on the wire, as OpenAI names them.
    pub fn kind(self) -> &'static str {
        match self.status().as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            503 => "service_unavailable_error",
            400..500 => "invalid_request_error",
            _ => "server_error",
        }
    }
}

/// The body of an error. `param` names the field of the request that is wrong.
pub fn error(code: Code, message: &str, param: Option<&str>) -> Bytes {
    Bytes::from(
        serde_json::json!({
            "error": {"message": message, "type": code.kind(), "param": param, "code": code.as_str()}
        })
        .to_string(),
    )
}

/// The last event of a stream that broke off: an error that every SDK raises. What precedes it ends the provider's
/// unfinished event, so that ours stands alone.
pub fn stream_error(at: Position, code: Code, message: &str) -> Bytes {
    let end: &[u8] = match at {
        Position::Boundary => b"",
        Position::LineEnd => b"\n",
        Position::InLine => b"\n\n",
    };
    Bytes::from([end, b"data: ", &error(code, message, None), b"\n\n"].concat())
}

/// The body of `GET /v1/models`. Nothing is said about when a model was made (`created` is 0).
pub fn models<'a>(ids: impl IntoIterator<Item = &'a str>) -> Bytes {
    let data: Vec<_> = ids.into_iter().map(entry).collect();
    Bytes::from(serde_json::json!({"object": "list", "data": data}).to_string())
}

/// The body of `GET /v1/models/{id}`.
pub fn model(id: &str) -> Bytes {
    Bytes::from(entry(id).to_string())
}

fn entry(id: &str) -> serde_json::Value {
    serde_json::json!({"id": id, "object": "model", "created": 0, "owned_by": "keypool"})
}

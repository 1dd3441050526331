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
    /// No or unknown client key.
    InvalidClientKey,
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
}

impl Code {
    /// The `code` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::DuplicateField => "duplicate_field",
            Self::InvalidClientKey => "invalid_client_key",
            Self::ModelNotFound => "model_not_found",
            Self::UnsupportedPath => "unsupported_path",
            Self::UnsupportedMethod => "unsupported_method",
            Self::RequestTimeout => "request_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::CompressedBody => "compressed_body",
            Self::HeaderTooLarge => "header_too_large",
            Self::Limited | Self::NoUsableKey => "no_usable_key",
            Self::QueueFull => "queue_full",
            Self::UpstreamInvalid => "upstream_invalid",
            Self::ProviderDown => "provider_down",
            Self::Draining => "draining",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamCut => "upstream_cut",
        }
    }

    /// The status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::DuplicateField => StatusCode::BAD_REQUEST,
            Self::InvalidClientKey => StatusCode::UNAUTHORIZED,
            Self::ModelNotFound | Self::UnsupportedPath => StatusCode::NOT_FOUND,
            Self::UnsupportedMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::CompressedBody => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Limited | Self::QueueFull => StatusCode::TOO_MANY_REQUESTS,
            Self::NoUsableKey | Self::ProviderDown | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamInvalid | Self::UpstreamCut => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The `type` on the wire, as OpenAI names them.
    pub fn kind(self) -> &'static str {
        match self.status().as_u16() {
            401 => "authentication_error",
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
        // After a line one would do, unless its end was a CR: then the first LF belongs to that.
        Position::LineEnd | Position::InLine => b"\n\n",
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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use keypool_contract::ProviderType;
    use serde_json::{Value, json};

    use super::*;
    use crate::stream::{End, StreamMachine};

    #[test]
    fn an_error_has_the_dialects_shape() {
        let body = error(Code::Limited, "Group \"chat\" cannot serve gpt-4.1 now.", None);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({"error": {
            "message": "Group \"chat\" cannot serve gpt-4.1 now.",
            "type": "rate_limit_error", "code": "no_usable_key", "param": null,
        }});
        assert_eq!(body, expected);
        let body: Value =
            serde_json::from_slice(&error(Code::DuplicateField, "twice", Some("model"))).unwrap();
        assert_eq!(
            (&body["error"]["param"], &body["error"]["type"]),
            (&json!("model"), &json!("invalid_request_error"))
        );
    }

    #[test]
    fn each_code_has_its_status_and_type() {
        let cases = [
            (
                Code::InvalidRequest,
                400,
                "invalid_request",
                "invalid_request_error",
            ),
            (
                Code::DuplicateField,
                400,
                "duplicate_field",
                "invalid_request_error",
            ),
            (
                Code::InvalidClientKey,
                401,
                "invalid_client_key",
                "authentication_error",
            ),
            (
                Code::ModelNotFound,
                404,
                "model_not_found",
                "invalid_request_error",
            ),
            (
                Code::UnsupportedPath,
                404,
                "unsupported_path",
                "invalid_request_error",
            ),
            (
                Code::UnsupportedMethod,
                405,
                "unsupported_method",
                "invalid_request_error",
            ),
            (
                Code::RequestTimeout,
                408,
                "request_timeout",
                "invalid_request_error",
            ),
            (Code::BodyTooLarge, 413, "body_too_large", "invalid_request_error"),
            (
                Code::CompressedBody,
                415,
                "compressed_body",
                "invalid_request_error",
            ),
            (
                Code::HeaderTooLarge,
                431,
                "header_too_large",
                "invalid_request_error",
            ),
            (Code::Limited, 429, "no_usable_key", "rate_limit_error"),
            (Code::QueueFull, 429, "queue_full", "rate_limit_error"),
            (Code::UpstreamInvalid, 502, "upstream_invalid", "server_error"),
            (Code::UpstreamCut, 502, "upstream_cut", "server_error"),
            (
                Code::NoUsableKey,
                503,
                "no_usable_key",
                "service_unavailable_error",
            ),
            (
                Code::ProviderDown,
                503,
                "provider_down",
                "service_unavailable_error",
            ),
            (Code::Draining, 503, "draining", "service_unavailable_error"),
            (Code::UpstreamTimeout, 504, "upstream_timeout", "server_error"),
        ];
        for (code, status, name, kind) in cases {
            assert_eq!(
                (code.status().as_u16(), code.as_str(), code.kind()),
                (status, name, kind)
            );
        }
    }

    #[test]
    fn a_cut_stream_ends_in_an_error_wherever_it_was_cut() {
        let whole = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\r\n\r\n";
        for cut in 0..=whole.len() {
            let mut machine = StreamMachine::new(ProviderType::OpenAI, None);
            machine.feed(whole.as_bytes().get(..cut).unwrap(), SystemTime::UNIX_EPOCH);
            let last = stream_error(
                machine.position(),
                Code::UpstreamCut,
                "the provider's stream broke off",
            );
            machine.feed(&last, SystemTime::UNIX_EPOCH);
            assert!(matches!(machine.finish(), End::Failed(_)), "cut at {cut}");
        }
    }

    #[test]
    fn lists_models_as_openai_does() {
        let list: Value = serde_json::from_slice(&models(["chat", "gpt-4.1"])).unwrap();
        let one: Value = serde_json::from_slice(&model("chat")).unwrap();
        assert_eq!(
            one,
            json!({"id": "chat", "object": "model", "created": 0, "owned_by": "keypool"})
        );
        assert_eq!(
            (&list["object"], &list["data"][0], &list["data"][1]["id"]),
            (&json!("list"), &one, &json!("gpt-4.1"))
        );
    }
}

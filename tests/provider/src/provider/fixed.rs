//! The same answer for everybody, made once: what a benchmark wants of a provider.

use bytes::Bytes;
use http::HeaderMap;

use crate::completion::Chat;
use crate::request::Ask;
use crate::scenario::{Scenario, Stream};

/// A whole answer and a stream.
#[derive(Debug)]
pub(crate) struct FixedAnswers {
    pub(crate) json: Bytes,
    pub(crate) events: Vec<Bytes>,
    pub(crate) json_headers: HeaderMap,
    pub(crate) event_headers: HeaderMap,
}

impl FixedAnswers {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let shape = scenario.normal.stream.clone().unwrap_or_default();
        let ask = Ask {
            model: Some("gpt-4o-mini".to_owned()),
            ..Ask::default()
        };
        let chat = Chat::new(scenario.seed, &ask, 400, shape.events);
        let header = |value: &'static str| {
            let value = http::HeaderValue::from_static(value);
            HeaderMap::from_iter([(http::header::CONTENT_TYPE, value)])
        };
        Self {
            json: Bytes::from(chat.json()),
            events: chat.events(&Stream {
                comments: false,
                ..shape
            }),
            json_headers: header("application/json"),
            event_headers: header("text/event-stream; charset=utf-8"),
        }
    }
}

/// Whether a body asks for a stream, told without reading it as JSON: by its first KiB.
pub(crate) fn asks_for_stream(head: &[u8]) -> bool {
    let head = &head[..head.len().min(1024)];
    let Some(at) = head.windows(8).position(|w| w == b"\"stream\"") else {
        return false;
    };
    let value = head[at + 8..]
        .iter()
        .position(|b| !matches!(b, b' ' | b':' | b'\n' | b'\r' | b'\t'));
    value.is_some_and(|start| head[at + 8 + start..].starts_with(b"true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_told_by_the_first_bytes() {
        assert!(asks_for_stream(br#"{"model":"m","stream":true,"messages":[]}"#));
        assert!(asks_for_stream(br#"{"stream" : true}"#));
        assert!(!asks_for_stream(br#"{"stream":false}"#));
        assert!(!asks_for_stream(b"{}"));
    }
}

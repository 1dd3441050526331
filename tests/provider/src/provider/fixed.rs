//! The same answer for everybody, made once: what a benchmark wants of a provider.

use bytes::Bytes;
use http::HeaderMap;
use memchr::memmem;

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

/// Whether a body asks for a stream, told without reading it as JSON: by its ends, where clients put the member.
pub(crate) fn asks_for_stream(body: &[u8]) -> bool {
    let (head, tail) = (
        &body[..body.len().min(1024)],
        &body[body.len().saturating_sub(64)..],
    );
    says_stream(head) || says_stream(tail)
}

fn says_stream(text: &[u8]) -> bool {
    let Some(at) = memmem::find(text, b"\"stream\"") else {
        return false;
    };
    let value = &text[at + 8..];
    let start = value
        .iter()
        .position(|byte| !matches!(byte, b' ' | b':' | b'\n' | b'\r' | b'\t'));
    start.is_some_and(|start| value[start..].starts_with(b"true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_told_by_the_ends_of_a_body() {
        assert!(asks_for_stream(br#"{"model":"m","stream":true,"messages":[]}"#));
        assert!(asks_for_stream(br#"{"stream" : true}"#));
        let long = format!(r#"{{"messages":["{}"],"stream":true}}"#, "x".repeat(5000));
        assert!(asks_for_stream(long.as_bytes()));
        assert!(!asks_for_stream(br#"{"stream":false}"#));
        assert!(!asks_for_stream(b"{}"));
    }
}

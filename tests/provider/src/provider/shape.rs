//! From a reply in the vendor's terms to heads and bytes: headers, echo, compression, in-band errors.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::json;

use super::decide::{About, Content, Incoming, Plan};
use super::work::Done;
use crate::completion::Chat;
use crate::rulebook::{Facts, Picked};
use crate::scenario::{Answer, Body, Stream};
use crate::template::{Values, fill};
use crate::vendor::{ErrorKind, Rendered, html, shaped};
use crate::{digest, gzip};

/// What replies are made from.
pub(super) struct Outline<'a> {
    pub(super) request: &'a Incoming<'a>,
    pub(super) facts: &'a Facts<'a>,
    pub(super) token: Option<&'a str>,
    pub(super) seed: u64,
}

/// A reply before headers are laid on.
pub(super) struct Reply {
    pub(super) status: u16,
    content_type: &'static str,
    content: Content,
}

impl Outline<'_> {
    pub(super) fn error(&self, rendered: Rendered) -> Reply {
        Reply {
            status: rendered.status,
            content_type: rendered.content_type,
            content: Content::Whole(rendered.body.into()),
        }
    }

    pub(super) fn json(&self, body: Bytes) -> Reply {
        Reply {
            status: 200,
            content_type: "application/json",
            content: Content::Whole(body),
        }
    }

    pub(super) fn events(&self, events: Vec<Bytes>) -> Reply {
        Reply {
            status: 200,
            content_type: "text/event-stream; charset=utf-8",
            content: Content::Events(events),
        }
    }

    pub(super) fn chat(&self, chat: &Chat, shape: Option<&Stream>) -> Reply {
        if !self.facts.stream {
            return self.json(chat.json().into());
        }
        let shape = shape.cloned().unwrap_or_default();
        let mut events = chat.events(&shape);
        if let Some(after) = shape.error_after {
            events.truncate(usize::try_from(after).unwrap_or(usize::MAX));
            let error = shape
                .error
                .unwrap_or(ErrorKind::ServerError)
                .render(self.token, self.facts.model);
            events.push(format!("data: {}\n\n", error.body).into());
        }
        self.events(events)
    }

    pub(super) fn scripted(&self, answer: &Answer) -> Reply {
        if answer.blackhole {
            return Reply {
                status: 0,
                content_type: "",
                content: Content::Nothing,
            };
        }
        if let Some(raw) = &answer.raw {
            let raw = Bytes::from(self.fill(raw));
            return Reply {
                status: answer.status.unwrap_or(0),
                content_type: "",
                content: Content::Raw(raw),
            };
        }
        let mut reply = self.error(match (answer.error, answer.status) {
            (Some(kind), _) => kind.render(self.token, self.facts.model),
            (None, Some(status)) if answer.html => html(status, &format!("{status} error")),
            (None, None) if answer.html => html(502, "502 Bad Gateway"),
            (None, Some(status)) if status >= 400 => shaped(
                status,
                if status >= 500 {
                    "server_error"
                } else {
                    "invalid_request_error"
                },
                None,
                "scripted",
            ),
            (None, status) => Rendered {
                status: status.unwrap_or(200),
                content_type: "application/json",
                body: String::new(),
            },
        });
        reply.status = answer.status.unwrap_or(reply.status);
        match &answer.body {
            Some(Body::Text(text)) => reply.content = Content::Whole(self.fill(text).into()),
            Some(Body::Json(value)) => reply.content = Content::Whole(self.fill(&value.to_string()).into()),
            None => {}
        }
        reply
    }

    fn fill(&self, text: &str) -> String {
        let request_id = self.request_id();
        let values = Values {
            key: self.token.unwrap_or_default(),
            key_name: self.facts.key,
            model: self.facts.model.unwrap_or_default(),
            request_id: &request_id,
            now: SystemTime::now(),
        };
        fill(text, &values)
    }

    fn request_id(&self) -> String {
        format!("req_{:016x}{:016x}", digest::mix(self.seed), self.request.seq)
    }
}

/// Lays headers and bends on a reply.
pub(super) fn plan(done: Done, outline: &Outline<'_>, answer: Answer, picked: Option<Picked>) -> Plan {
    let Done {
        reply,
        usage,
        ticket,
        limits,
    } = done;
    let mut headers = HeaderMap::new();
    let request_id = outline.request_id();
    if !reply.content_type.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    put(&mut headers, "x-request-id", &request_id);
    put(&mut headers, "openai-version", "2020-10-01");
    put(&mut headers, "openai-organization", outline.facts.group);
    for (name, value) in &limits {
        put(&mut headers, name, value);
    }
    let mut content = reply.content;
    if answer.echo {
        echo(outline, &mut headers, &mut content);
    }
    if answer.gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        content = match content {
            Content::Whole(body) => Content::Whole(gzip::stored(&body).into()),
            Content::Events(events) => Content::Events(vec![gzip::stored(&events.concat()).into()]),
            other => other,
        };
    }
    for n in 0..answer.head_padding.div_ceil(1024) {
        put(
            &mut headers,
            &format!("x-padding-{n}"),
            &"p".repeat(1024.min(answer.head_padding - n * 1024)),
        );
    }
    for (name, values) in &answer.headers {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            continue;
        };
        headers.remove(&name);
        for value in values.iter() {
            if let Ok(value) = HeaderValue::from_bytes(outline.fill(value).as_bytes()) {
                headers.append(name.clone(), value);
            }
        }
    }
    let about = About {
        key: outline.facts.key.to_owned(),
        key_value: outline.token.unwrap_or_default().to_owned(),
        model: outline.facts.model.map(str::to_owned),
        stream: outline.facts.stream,
        rule: picked.map(|picked| picked.name),
        request_id,
        usage,
    };
    Plan {
        status: reply.status,
        headers,
        content,
        answer: Arc::new(answer),
        seed: outline.seed,
        ticket,
        about,
    }
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (
        HeaderName::from_bytes(name.as_bytes()),
        HeaderValue::from_str(value),
    ) {
        headers.insert(name, value);
    }
}

/// What a careless upstream does: it shows the request's headers, the key among them, in its answer.
fn echo(outline: &Outline<'_>, headers: &mut HeaderMap, content: &mut Content) {
    let received: Vec<(String, String)> = received_headers(outline.request.headers);
    for (name, value) in &received {
        put(headers, &format!("x-echo-{name}"), value);
    }
    let member = json!({"path": outline.request.path, "headers": received}).to_string();
    match content {
        Content::Whole(body) => *body = with_member(body, &member),
        Content::Events(events) => {
            if let Some(first) = events.first_mut() {
                *first = with_member(first, &member);
            }
        }
        Content::Raw(_) | Content::Nothing => {}
    }
}

/// Headers as texts, in the order of arrival.
pub(crate) fn received_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect()
}

/// Adds `"echo": member` before the last brace of a JSON object or of an event that holds one.
fn with_member(body: &Bytes, member: &str) -> Bytes {
    let Some(brace) = body.iter().rposition(|byte| *byte == b'}') else {
        return body.clone();
    };
    let comma: &[u8] = if body[..brace].ends_with(b"{") { b"" } else { b"," };
    [
        &body[..brace],
        comma,
        br#""echo":"#,
        member.as_bytes(),
        &body[brace..],
    ]
    .concat()
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_keeps_json_and_event_whole() {
        let whole = with_member(&Bytes::from_static(br#"{"a":1}"#), "{}");
        assert_eq!(whole, br#"{"a":1,"echo":{}}"#.as_slice());
        let event = with_member(&Bytes::from_static(b"data: {}\n\n"), "[]");
        assert_eq!(event, b"data: {\"echo\":[]}\n\n".as_slice());
        assert_eq!(
            with_member(&Bytes::from_static(b"plain"), "{}"),
            b"plain".as_slice()
        );
    }
}

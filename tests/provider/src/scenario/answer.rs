//! What a rule answers: a vendor error, a status of its own, or the normal answer bent and broken in a chosen place.
//!
//! A rule that sets none of `status`, `error`, `body`, `raw`, `html` keeps the normal answer (key check and limits included)
//! and only changes its timing, headers or ending.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Latency;
use crate::vendor::ErrorKind;

/// The scripted part of an answer. Texts in headers and bodies may hold `${key}`, `${keyName}`, `${model}`,
/// `${requestId}`, `${httpdate+45}`, `${unix+45}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Answer {
    /// HTTP status. With a status from 400 and no body the vendor's shape is used.
    pub status: Option<u16>,
    /// One of the vendor's own errors: status, body and headers.
    pub error: Option<ErrorKind>,
    /// Headers to set, after those of the answer itself. An empty list removes one.
    pub headers: BTreeMap<String, HeaderValues>,
    /// A body of its own: a JSON value, or a text that is sent as it is.
    pub body: Option<Body>,
    /// An HTML page, as an edge in front of the API answers.
    pub html: bool,
    /// These bytes go on the wire instead of an HTTP answer, then the connection ends as `cut.how` says.
    pub raw: Option<String>,
    /// Never answer; the request is read.
    pub blackhole: bool,
    /// Answer when the request's head is there, without reading its body. The rule then sees neither model nor stream.
    pub early: bool,
    /// Wait before the head.
    pub delay: Option<Latency>,
    /// Wait between head and first event, or head and body.
    pub first_event: Option<Latency>,
    /// Shape of a stream.
    pub stream: Option<Stream>,
    /// Break off.
    pub cut: Option<Cut>,
    /// Interim answers before the real head, such as 103.
    pub interim: Vec<u16>,
    /// Bytes of additional headers, to make a huge head.
    pub head_padding: usize,
    /// Compress (gzip) whatever the client accepts.
    pub gzip: bool,
    /// Put the received headers into the answer: as `x-echo-*` headers and as a member `echo` of the JSON.
    pub echo: bool,
    /// Send a JSON answer chunked, without a length.
    pub chunked: bool,
}

/// Shape of a streamed answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Stream {
    /// Content events; a role event, a finish event and `[DONE]` come on top. Left out: 48.
    pub events: Option<u64>,
    /// Wait between events.
    pub cadence: Option<Latency>,
    /// Write several events at once instead of each on its own.
    pub together: bool,
    /// Line ends of two bytes.
    pub crlf: bool,
    /// The send time inside each event, for benchmarks (`load --stamped`). The bytes then differ each time.
    pub stamp: bool,
    /// A comment line before each event.
    pub comments: bool,
    /// An error event after so many events (0: as the first), then the end.
    pub error_after: Option<u64>,
    /// Which error the error event tells. Left out: `server_error`.
    pub error: Option<ErrorKind>,
    /// How the stream ends when nothing cuts it.
    pub ending: Ending,
}

/// How a stream ends when nothing cuts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// Finish reason and `[DONE]`.
    #[default]
    Done,
    /// Finish reason, clean end of the body, no `[DONE]`.
    NoDone,
    /// Neither finish reason nor `[DONE]`, clean end.
    Truncated,
}

/// A break in the middle of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cut {
    /// Where.
    pub at: CutPoint,
    /// How.
    #[serde(default)]
    pub how: CutHow,
}

/// Where an answer breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CutPoint {
    /// No byte of the answer is sent.
    BeforeHead,
    /// The head is out, no body byte is.
    AfterHead,
    /// One event is out; of a JSON body, half.
    AfterFirstEvent,
    /// So many events are out.
    AfterEvents(u64),
    /// Half of the second event is out; of a JSON body, half.
    MidEvent,
    /// All but `[DONE]` is out; of a JSON body, all but the last byte.
    BeforeDone,
    /// So many bytes of the body are out.
    Bytes(u64),
    /// So many bytes of head and body, as on the wire, are out.
    WireBytes(u64),
}

/// How an answer breaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CutHow {
    /// The connection is closed (FIN; without `close_notify` under TLS) and the body is not terminated.
    #[default]
    Close,
    /// The connection is reset (RST).
    Reset,
    /// The body is ended properly; only for bodies without a length.
    Clean,
    /// Nothing more comes, the connection stays open.
    Stall,
}

/// A scripted body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Body {
    /// Sent as it is.
    Text(String),
    /// Written as JSON.
    Json(serde_json::Value),
}

/// One or several values of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeaderValues {
    /// One.
    One(String),
    /// Several, each in a line of its own.
    Many(Vec<String>),
}

impl HeaderValues {
    /// The values.
    pub fn iter(&self) -> std::slice::Iter<'_, String> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
    }
}

impl Answer {
    /// A vendor error.
    pub fn error(kind: ErrorKind) -> Self {
        Self {
            error: Some(kind),
            ..Self::default()
        }
    }

    /// A status with the vendor's usual body.
    pub fn status(status: u16) -> Self {
        Self {
            status: Some(status),
            ..Self::default()
        }
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).header("location", location)
    }

    /// The normal answer, broken off.
    pub fn cut(at: CutPoint, how: CutHow) -> Self {
        Self {
            cut: Some(Cut { at, how }),
            ..Self::default()
        }
    }

    /// No answer at all.
    pub fn blackhole() -> Self {
        Self {
            blackhole: true,
            ..Self::default()
        }
    }

    /// With this header set.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .insert(name.to_owned(), HeaderValues::One(value.to_owned()));
        self
    }

    /// With a wait before the head.
    #[must_use]
    pub fn delayed(mut self, delay: Latency) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Whether it replaces the normal answer instead of bending it.
    pub fn replaces(&self) -> bool {
        self.status.is_some()
            || self.error.is_some()
            || self.body.is_some()
            || self.raw.is_some()
            || self.html
            || self.blackhole
    }

    /// What is not set here is taken from `base`.
    #[must_use]
    pub fn or(&self, base: &Self) -> Self {
        let mut merged = self.clone();
        merged.delay = merged.delay.or(base.delay);
        merged.first_event = merged.first_event.or(base.first_event);
        merged.stream = merged.stream.or_else(|| base.stream.clone());
        merged.cut = merged.cut.or_else(|| base.cut.clone());
        for (name, values) in &base.headers {
            merged
                .headers
                .entry(name.clone())
                .or_insert_with(|| values.clone());
        }
        merged.echo |= base.echo;
        merged.chunked |= base.chunked;
        merged.gzip |= base.gzip;
        merged.head_padding = merged.head_padding.max(base.head_padding);
        merged
    }
}

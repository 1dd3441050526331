//! The line of one request.

use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::record::{Attempt, End, Entry};

/// What a client calls a model is its own text: the log keeps this much of it.
const MODEL_LIMIT: usize = 128;

/// The beginning of a client's text.
pub(super) fn bounded(text: &str) -> Box<str> {
    text.char_indices()
        .nth(MODEL_LIMIT)
        .map_or(text, |(end, _)| text.get(..end).unwrap_or_default())
        .into()
}

#[derive(Serialize)]
struct Line<'a> {
    time: Time,
    request_id: &'a str,
    group: Option<&'a str>,
    operation: Option<&'static str>,
    model: Option<&'a str>,
    client: Option<&'a str>,
    member: Option<&'a str>,
    credential: Option<&'a str>,
    status: Option<u16>,
    code: Option<&'static str>,
    #[serde(serialize_with = "attempts")]
    attempts: &'a [Attempt],
    ttfe_ms: Option<Millis>,
    duration_ms: Millis,
    bytes_in: u64,
    bytes_out: u64,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    stream: bool,
    end: &'static str,
}

#[derive(Serialize)]
struct AttemptLine<'a> {
    member: &'a str,
    credential: &'a str,
    outcome: &'static str,
    ms: Millis,
}

/// Appends the line, without a newline.
pub(super) fn write(buffer: &mut Vec<u8>, entry: &Entry, took: Duration, end: End) {
    let start = buffer.len();
    let line = Line {
        time: Time(entry.time),
        request_id: entry.id.as_str(),
        group: entry.group.as_ref().map(|group| &*group.name),
        operation: entry.operation.as_ref().map(|operation| operation.name()),
        model: entry.model.as_deref(),
        client: entry.client.as_deref(),
        member: entry.served.as_ref().map(|(member, _)| &*member.name),
        credential: entry
            .served
            .as_ref()
            .and_then(|(member, place)| member.provider.credentials.get(*place))
            .map(|credential| &*credential.name),
        status: entry.status.map(|status| status.as_u16()),
        code: entry.code,
        attempts: &entry.attempts,
        ttfe_ms: entry.first_event.map(Millis),
        duration_ms: Millis(took),
        bytes_in: entry.bytes_in,
        bytes_out: entry.bytes_out,
        input_tokens: entry.usage.map(|usage| usage.input),
        output_tokens: entry.usage.map(|usage| usage.output),
        stream: entry.stream,
        end: end.name(),
    };
    // A line of plain fields does not fail to serialise; a half-written one must not stay.
    if serde_json::to_writer(&mut *buffer, &line).is_err() {
        buffer.truncate(start);
    }
}

fn attempts<S: Serializer>(attempts: &[Attempt], to: S) -> Result<S::Ok, S::Error> {
    let mut list = to.serialize_seq(Some(attempts.len()))?;
    for attempt in attempts {
        let credential = attempt.member.provider.credentials.get(attempt.credential);
        list.serialize_element(&AttemptLine {
            member: &attempt.member.name,
            credential: credential.map_or("", |credential| &credential.name),
            outcome: attempt.outcome,
            ms: Millis(attempt.took),
        })?;
    }
    list.end()
}

/// RFC 3339 in UTC, with milliseconds.
struct Time(std::time::SystemTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match jiff::Timestamp::try_from(self.0) {
            Ok(time) => to.collect_str(&format_args!("{time:.3}")),
            Err(_) => to.serialize_none(),
        }
    }
}

/// Milliseconds with three decimals.
struct Millis(Duration);

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[allow(
            clippy::cast_precision_loss,
            reason = "a duration in microseconds is far below 2^52"
        )]
        to.serialize_f64(self.0.as_micros() as f64 / 1000.0)
    }
}

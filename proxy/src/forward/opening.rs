//! The beginning of an answer, held until it is known to be good.
//!
//! Some servers commit 200 and then report an error as the first event, or as the whole body. So a stream's first events are held until
//! content begins, and an answer that is not a stream until it is whole. Holding is bounded: a stream by a second, 16 events or
//! 64 KiB from its first event on, another answer by 64 KiB, because no error is as long. Comments are no event: they say that the
//! request waits for its turn, and the first event's own limit holds on. A web page is no answer at any length: it comes from a
//! portal or a login in front of the provider.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http_body_util::BodyExt;
use keypool_dialect::outcome::{self, Class, Form};
use keypool_dialect::stream::{End, Phase, StreamMachine};
use keypool_dialect::usage::UsageTap;

use super::failure::{Failure, InStream, Refused, is_compressed};
use super::follow::Follow;
use crate::gather::Gathered;
use crate::pool::Target;
use crate::upstream::{Answer, UpstreamError};

/// From the first event of a stream on.
const HOLD: Duration = Duration::from_secs(1);
const HOLD_EVENTS: u64 = 16;
const HOLD_BYTES: usize = 64 * 1024;
/// An error that a server reports with status 200 is shorter than this.
const ERROR_BYTES: usize = 4 * 1024;

/// An answer that may be passed on.
pub(super) struct Opening {
    pub(super) head: Parts,
    /// What came so far.
    pub(super) held: Vec<Bytes>,
    /// What is still to come.
    pub(super) rest: Option<Answer>,
    pub(super) follow: Follow,
    /// When an answer that is not a stream must be whole.
    pub(super) deadline: Option<Instant>,
}

/// Waits until a 2xx answer is known to be good or bad. `deadline` counts for the first event of a stream and for the
/// end of every other answer.
pub(super) async fn open(
    target: &Target,
    choices: Option<u64>,
    head: Parts,
    body: Answer,
    deadline: Instant,
) -> Result<Opening, Failure> {
    if is_compressed(&head.headers) && !outcome::is_called_page(&head.headers) {
        return Ok(Opening {
            head,
            held: Vec::new(),
            rest: Some(body),
            follow: Follow::Blind,
            deadline: None,
        });
    }
    let content_type = head
        .headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let events = content_type
        .get(..17)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"));
    if events {
        open_events(target, choices, head, Vec::new(), body, deadline).await
    } else {
        open_json(target, choices, head, body, deadline).await
    }
}

/// `begun` came from `body` already.
async fn open_events(
    target: &Target,
    choices: Option<u64>,
    head: Parts,
    begun: Vec<Bytes>,
    mut body: Answer,
    deadline: Instant,
) -> Result<Opening, Failure> {
    let mut machine = StreamMachine::new(target.provider().provider_type, choices);
    let mut begun = begun.into_iter();
    let mut held = Gathered::default();
    let mut bytes = 0;
    let mut hold_until: Option<Instant> = None;
    let ended = loop {
        let data = if let Some(data) = begun.next() {
            data
        } else {
            let until = hold_until.map_or(deadline, |until| until.min(deadline));
            let frame = match tokio::time::timeout_at(until.into(), body.frame()).await {
                Err(_) if hold_until.is_none() => {
                    return Err(Failure::Unanswered(UpstreamError::HeadTimeout));
                }
                Err(_) => break false,
                Ok(Some(Ok(frame))) => frame,
                Ok(None | Some(Err(_))) if machine.finish() == End::Complete => break true,
                Ok(None | Some(Err(_))) => return Err(Failure::BrokenOff),
            };
            let Ok(data) = frame.into_data() else { continue };
            data
        };
        bytes += data.len();
        let phase = machine.feed(&data, SystemTime::now());
        if machine.events() > 0 {
            hold_until.get_or_insert_with(|| Instant::now() + HOLD);
        }
        held.push(data);
        match phase {
            Phase::Content | Phase::Ended => break false,
            Phase::Failed => break false,
            Phase::Preamble if bytes >= HOLD_BYTES || machine.events() >= HOLD_EVENTS => break false,
            Phase::Preamble => {}
        }
    };
    let failed = machine.error().filter(|_| !machine.has_content()).cloned();
    let opening = Opening {
        head,
        held: held.finish(),
        rest: (!ended).then_some(body),
        follow: Follow::Events(machine),
        deadline: None,
    };
    match failed {
        Some(outcome) => Err(Failure::InStream(Box::new(InStream { outcome, opening }))),
        None => Ok(opening),
    }
}

/// What turns out to be events goes on as events.
async fn open_json(
    target: &Target,
    choices: Option<u64>,
    head: Parts,
    mut body: Answer,
    deadline: Instant,
) -> Result<Opening, Failure> {
    let mut tap = UsageTap::default();
    let mut held = Gathered::default();
    let mut bytes = 0;
    let long = http_body::Body::size_hint(&body).lower() > HOLD_BYTES as u64;
    let mut beginning = Vec::new();
    let mut form = None;
    let whole = loop {
        match form {
            Some(Form::Events) => {
                return open_events(target, choices, head, held.finish(), body, deadline).await;
            }
            Some(Form::Page) => break false,
            Some(Form::Other) if long => break false,
            _ if bytes >= HOLD_BYTES => break false,
            _ => {}
        }
        let frame = match tokio::time::timeout_at(deadline.into(), body.frame()).await {
            Err(_) => return Err(Failure::Unanswered(UpstreamError::HeadTimeout)),
            Ok(None) => break true,
            Ok(Some(Err(_))) => return Err(Failure::BrokenOff),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        bytes += data.len();
        tap.feed(&data);
        // Few beginnings come in pieces.
        if form.is_none() && beginning.is_empty() {
            form = outcome::form(&head.headers, &data);
        }
        if form.is_none() {
            let more = if beginning.is_empty() {
                data.trim_ascii_start()
            } else {
                &data
            };
            beginning.extend_from_slice(more);
            form = outcome::form(&head.headers, &beginning);
        }
        held.push(data);
    };
    let held = held.finish();
    if form == Some(Form::Page) || (whole && bytes <= ERROR_BYTES) {
        let joined;
        let body = match &*held {
            [one] => one,
            pieces => {
                joined = Bytes::from(pieces.concat());
                &joined
            }
        };
        let outcome = outcome::answered(
            target.provider().provider_type,
            &head.headers,
            body,
            SystemTime::now(),
        );
        if outcome.class != Class::Success {
            return Err(Failure::Refused(Box::new(Refused {
                outcome,
                body: body.clone(),
                head,
                target: target.clone(),
            })));
        }
    }
    Ok(Opening {
        head,
        held,
        rest: (!whole).then_some(body),
        follow: Follow::Json(tap),
        deadline: Some(deadline),
    })
}

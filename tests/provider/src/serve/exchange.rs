//! One request and its answer: read, decide, wait, say.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use sha2::{Digest, Sha256};

use super::body::ReplyBody;
use super::watched::Watched;
use super::wire::WireControl;
use crate::provider::{self, Content, Plan, Provider};
use crate::record::{Entry, Outcome, Trace, describe_body};
use crate::scenario::{Answer, CutHow, CutPoint};
use crate::score::{Pace, Step, steps};

/// Bodies beyond this are cut off by the provider.
const LARGEST_BODY: usize = 256 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("the request body broke off")]
    Body(#[from] hyper::Error),
    #[error("the request body is larger than the provider takes")]
    TooLarge,
    #[error("the script closes here")]
    Scripted,
}

/// What an exchange knows of its connection.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) provider: Arc<Provider>,
    pub(crate) wire: Arc<WireControl>,
    pub(crate) connection: u64,
    pub(crate) tls: bool,
}

impl Line {
    /// Answers one request.
    pub(crate) async fn answer(self, request: Request<Incoming>) -> Result<Response<ReplyBody>, NoAnswer> {
        self.wire.disarm();
        let (head, body) = request.into_parts();
        let trace = self.provider.recorder.begin(|| Entry {
            connection: self.connection,
            tls: self.tls,
            method: head.method.to_string(),
            path: head
                .uri
                .path_and_query()
                .map_or_else(String::new, ToString::to_string),
            headers: provider::received_headers(&head.headers),
            ..Entry::default()
        });
        let mut trace = Watched::new(trace, self.wire.clone());
        if let Some(quick) = self.provider.quick(&head) {
            let frames = drain(body).await?;
            return Ok(quick.answer(&frames, |steps| ReplyBody::scored(steps, None, trace, None)));
        }
        let request = provider::Incoming {
            seq: trace.seq(),
            method: &head.method,
            path: head.uri.path(),
            headers: &head.headers,
            body: &[],
        };
        // Kept and not read until the answer is there: the client's upload gets stuck.
        let mut unread = None;
        let plan = match self.provider.decide_early(&request) {
            Some(plan) => {
                unread = Some(body);
                plan
            }
            None => {
                let body = collect(body).await?;
                trace.note(|entry| describe_body(entry, &body));
                self.provider.decide(&provider::Incoming {
                    body: &body,
                    ..request
                })
            }
        };
        note(&trace, &plan);
        let answer = plan.answer.clone();
        if let Some(delay) = answer.delay.filter(|delay| !delay.is_zero()) {
            tokio::time::sleep(delay.draw(plan.seed, trace.seq())).await;
        }
        self.before_head(&answer, &mut trace).await?;
        drop(unread);
        Ok(self.respond(plan, trace))
    }

    async fn before_head(&self, answer: &Answer, trace: &mut Watched) -> Result<(), NoAnswer> {
        if answer.blackhole {
            std::future::pending::<()>().await;
        }
        let Some(cut) = answer.cut.as_ref() else {
            return Ok(());
        };
        match (cut.at, cut.how) {
            (CutPoint::BeforeHead, CutHow::Stall) => std::future::pending().await,
            (CutPoint::BeforeHead, how) => {
                trace.finish(Outcome::Cut);
                self.wire.cut(how);
                Err(NoAnswer::Scripted)
            }
            (CutPoint::WireBytes(left), how) => {
                self.wire.limit(left, how);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn respond(self, plan: Plan, trace: Watched) -> Response<ReplyBody> {
        let answer = &plan.answer;
        if !answer.interim.is_empty() {
            let lines = answer
                .interim
                .iter()
                .map(|status| format!("HTTP/1.1 {status} Interim\r\nx-interim: yes\r\n\r\n"));
            self.wire.prefix(Bytes::from(lines.collect::<String>()));
        }
        let stream = answer.stream.clone().unwrap_or_default();
        let pace = Pace {
            first: answer.first_event.unwrap_or_default(),
            cadence: stream.cadence.unwrap_or_default(),
            together: stream.together,
            stamp: stream.stamp,
            seed: plan.seed ^ trace.seq(),
        };
        let cut = answer.cut.as_ref();
        let (parts, with_length) = match plan.content {
            Content::Whole(body) => (vec![body], !answer.chunked),
            Content::Events(events) => (events, false),
            Content::Raw(raw) => {
                self.wire.replace(raw, cut.map_or(CutHow::Close, |cut| cut.how));
                (Vec::new(), true)
            }
            Content::Nothing => (Vec::new(), true),
        };
        let clean = cut.is_some_and(|cut| cut.how == CutHow::Clean);
        let declared = (with_length && !clean).then(|| parts.iter().map(|part| part.len() as u64).sum());
        let steps = steps(&parts, &pace, cut);
        let body = ReplyBody::scored(steps, declared, trace, plan.ticket);
        head(plan.status, plan.headers, body)
    }
}

fn head(status: u16, headers: HeaderMap, body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    *response.headers_mut() = headers;
    response
}

fn note(trace: &Trace, plan: &Plan) {
    trace.note(|entry| {
        let about = &plan.about;
        entry.request_id.clone_from(&about.request_id);
        entry.key.clone_from(&about.key);
        if !about.key_value.is_empty() {
            entry.key_sha256 = crate::digest::hex(&Sha256::digest(&about.key_value));
        }
        entry.model.clone_from(&about.model);
        entry.stream = about.stream;
        entry.rule.clone_from(&about.rule);
        entry.status = (plan.status != 0).then_some(plan.status);
        entry.prompt_tokens = about.usage.prompt;
        entry.completion_tokens = about.usage.completion;
    });
}

/// The whole body; a body of one frame is not copied.
async fn collect(mut body: Incoming) -> Result<Bytes, NoAnswer> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame?.into_data() else { continue };
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
        if all.len() > LARGEST_BODY {
            return Err(NoAnswer::TooLarge);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// The first and the last frame; what is between is read and forgotten.
async fn drain(mut body: Incoming) -> Result<[Bytes; 2], NoAnswer> {
    let (mut first, mut last) = (Bytes::new(), Bytes::new());
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame?.into_data() else { continue };
        if first.is_empty() {
            first = data;
        } else {
            last = data;
        }
    }
    Ok([first, last])
}

impl provider::Quick {
    fn answer(
        &self,
        frames: &[Bytes],
        stream: impl FnOnce(std::collections::VecDeque<Step>) -> ReplyBody,
    ) -> Response<ReplyBody> {
        let fixed = self.fixed();
        if frames.iter().any(|frame| provider::asks_for_stream(frame)) {
            let steps = steps(&fixed.events, &self.pace(), None);
            return head(200, fixed.event_headers.clone(), stream(steps));
        }
        head(
            200,
            fixed.json_headers.clone(),
            ReplyBody::Quick(Some(fixed.json.clone())),
        )
    }
}

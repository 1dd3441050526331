//! From a request to the plan of its answer. The order is the provider's: scripted answers first, then the key, then the
//! model, then the limits, then the work.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::shape::{self, Outline};
use super::work::Done;
use super::{Provider, fixed};
use crate::completion::Usage;
use crate::keys::Caller;
use crate::limits::Ticket;
use crate::request::{Ask, Operation, bearer};
use crate::rulebook::{Facts, Picked};
use crate::scenario::{Answer, Answers};
use crate::vendor::{ErrorKind, Rendered, shaped};

/// A request that has been read.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) seq: u64,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// The answer to be given.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    /// Timing and breaking.
    pub(crate) answer: Arc<Answer>,
    pub(crate) seed: u64,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) about: About,
}

/// What the log wants to know of a plan.
#[derive(Debug, Default)]
pub(crate) struct About {
    pub(crate) key: String,
    pub(crate) key_value: String,
    pub(crate) model: Option<String>,
    pub(crate) stream: bool,
    pub(crate) rule: Option<String>,
    pub(crate) request_id: String,
    pub(crate) usage: Usage,
}

/// What is sent.
#[derive(Debug)]
pub(crate) enum Content {
    /// A body with a length.
    Whole(Bytes),
    /// A stream's events.
    Events(Vec<Bytes>),
    /// These bytes instead of HTTP.
    Raw(Bytes),
    /// Nothing, ever.
    Nothing,
}

impl Provider {
    /// Decides the answer; counts, but does not wait and does no I/O.
    pub(crate) fn decide(&self, request: &Incoming<'_>) -> Plan {
        let current = self.current.load();
        let scenario = &current.scenario;
        let operation = Operation::of(request.method, request.path);
        let token = bearer(request.headers);
        let caller = current.keys.caller(token);
        let fixed = scenario.answers == Answers::Fixed && operation == Operation::Chat;
        let ask = match fixed {
            true => Ok(Ask {
                stream: Some(fixed::asks_for_stream(request.body)),
                ..Ask::default()
            }),
            false => read_ask(&operation, request.body),
        };
        let (model_id, stream) = match (&ask, &operation) {
            (_, Operation::GetModel(id)) => (Some(id.as_str()), false),
            (Ok(ask), _) => (ask.model.as_deref(), ask.streams()),
            (Err(_), _) => (None, false),
        };
        let facts = Facts {
            key: caller.name(),
            group: caller.group(),
            model: model_id,
            method: request.method,
            path: request.path,
            stream,
            headers: request.headers,
            early: false,
        };
        let picked = self.pick(&facts);
        let outline = Outline {
            request,
            facts: &facts,
            token,
            seed: scenario.seed,
        };
        let answer = picked.as_ref().map(|picked| picked.answer.or(&scenario.normal));
        let answer = answer.unwrap_or_else(|| scenario.normal.clone());

        let done = if answer.replaces() {
            Done::free(outline.scripted(&answer))
        } else if let Some(kind) = refusal(&caller, &operation, model_id, &current) {
            Done::free(outline.error(kind.render(token, model_id)))
        } else {
            match &ask {
                Err(rendered) => Done::free(outline.error(rendered.clone())),
                Ok(ask) => self.work(
                    &outline,
                    &operation,
                    ask,
                    answer.stream.as_ref(),
                    fixed.then_some(&current.fixed),
                ),
            }
        };
        self.count(&caller, &operation, &done);
        shape::plan(done, &outline, answer, picked)
    }

    /// The answer of a rule that does not wait for the body, if there is one for this request.
    pub(crate) fn decide_early(&self, request: &Incoming<'_>) -> Option<Plan> {
        if !self.scripted.load(Ordering::Acquire) {
            return None;
        }
        let current = self.current.load();
        let operation = Operation::of(request.method, request.path);
        let token = bearer(request.headers);
        let caller = current.keys.caller(token);
        let facts = Facts {
            key: caller.name(),
            group: caller.group(),
            model: None,
            method: request.method,
            path: request.path,
            stream: false,
            headers: request.headers,
            early: true,
        };
        let picked = self.pick(&facts)?;
        let outline = Outline {
            request,
            facts: &facts,
            token,
            seed: current.scenario.seed,
        };
        let answer = picked.answer.or(&current.scenario.normal);
        let done = Done::free(outline.scripted(&answer));
        self.count(&caller, &operation, &done);
        Some(shape::plan(done, &outline, answer, Some(picked)))
    }

    fn count(&self, caller: &Caller, operation: &Operation, done: &Done) {
        self.recorder.count(caller.name(), |count| {
            match operation.lists_models() {
                true => count.probes += 1,
                false => count.requests += 1,
            }
            *count.statuses.entry(done.reply.status).or_default() += 1;
            count.tokens += done.usage.prompt + done.usage.completion;
        });
    }

    fn pick(&self, facts: &Facts<'_>) -> Option<Picked> {
        if !self.scripted.load(Ordering::Acquire) {
            return None;
        }
        self.book.lock().pick(facts)
    }
}

fn refusal(
    caller: &Caller,
    operation: &Operation,
    model: Option<&str>,
    current: &super::Current,
) -> Option<ErrorKind> {
    caller.refusal(operation, model).or_else(|| {
        model
            .filter(|id| !current.has_model(id))
            .map(|_| ErrorKind::ModelNotFound)
    })
}

fn read_ask(operation: &Operation, body: &[u8]) -> Result<Ask, Rendered> {
    let bad = |message: &str, code| Err(shaped(400, "invalid_request_error", code, message));
    if !matches!(operation, Operation::Chat | Operation::Embeddings) {
        return Ok(Ask::default());
    }
    let Ok(ask) = serde_json::from_slice::<Ask>(body) else {
        return bad("We could not parse the JSON body of your request.", None);
    };
    if ask.model.is_none() {
        return bad("you must provide a model parameter", None);
    }
    match operation {
        Operation::Chat if ask.messages.is_none() => bad(
            "Missing required parameter: 'messages'.",
            Some("missing_required_parameter"),
        ),
        Operation::Embeddings if ask.input.is_none() => bad(
            "Missing required parameter: 'input'.",
            Some("missing_required_parameter"),
        ),
        _ => Ok(ask),
    }
}

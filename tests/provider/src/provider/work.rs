//! What is done for a request that is let in: limits, then the answer's content.

use super::shape::{Outline, Reply};
use super::{FixedAnswers, Provider};
use crate::completion::{Chat, Usage, embeddings, model, model_list};
use crate::digest::fingerprint;
use crate::limits::{Admission, Ticket};
use crate::request::{Ask, Operation};
use crate::scenario::Stream;
use crate::vendor::shaped;

type Headers = Vec<(&'static str, String)>;

/// A reply and what it cost.
pub(super) struct Done {
    pub(super) reply: Reply,
    pub(super) usage: Usage,
    pub(super) ticket: Option<Ticket>,
    pub(super) limits: Headers,
}

impl Done {
    /// A reply for which nothing is charged.
    pub(super) fn free(reply: Reply) -> Self {
        Self {
            reply,
            usage: Usage::default(),
            ticket: None,
            limits: Vec::new(),
        }
    }
}

impl Provider {
    pub(super) fn work(
        &self,
        outline: &Outline<'_>,
        operation: &Operation,
        ask: &Ask,
        shape: Option<&Stream>,
        fixed: Option<&FixedAnswers>,
    ) -> Done {
        let print = fingerprint(outline.seed, outline.request.body);
        let words = shape.and_then(|shape| shape.events);
        let chat = Chat::new(print, ask, outline.request.body.len(), words);
        let (ticket, limits) = match self.admit(outline, operation, &chat, ask) {
            Ok(granted) => granted,
            Err(refused) => return *refused,
        };
        let (reply, usage) = match (operation, fixed) {
            (Operation::Chat, Some(fixed)) if outline.facts.stream => {
                (outline.events(fixed.events.clone()), chat.usage)
            }
            (Operation::Chat, Some(fixed)) => (outline.json(fixed.json.clone()), chat.usage),
            (Operation::Chat, None) => (outline.chat(&chat, shape), chat.usage),
            (Operation::Embeddings, _) => {
                let usage = Usage {
                    completion: 0,
                    ..chat.usage
                };
                (outline.json(embeddings(print, ask, usage.prompt).into()), usage)
            }
            (Operation::ListModels, _) => (
                outline.json(model_list(self.current.load().models()).into()),
                Usage::default(),
            ),
            (Operation::GetModel(id), _) => (outline.json(model(id).into()), Usage::default()),
            (Operation::Unknown, _) => {
                let message = format!(
                    "Invalid URL ({} {})",
                    outline.request.method, outline.request.path
                );
                (
                    outline.error(shaped(404, "invalid_request_error", None, &message)),
                    Usage::default(),
                )
            }
        };
        Done {
            reply,
            usage,
            ticket,
            limits,
        }
    }

    /// The limits' word. Tokens count as OpenAI counts them: what the prompt has and what the answer may have.
    fn admit(
        &self,
        outline: &Outline<'_>,
        operation: &Operation,
        chat: &Chat,
        ask: &Ask,
    ) -> Result<(Option<Ticket>, Headers), Box<Done>> {
        let inference = matches!(operation, Operation::Chat | Operation::Embeddings);
        if !inference || self.current.load().scenario.limits.is_empty() {
            return Ok((None, Vec::new()));
        }
        let answer = match operation {
            Operation::Chat => ask.most_tokens().unwrap_or(chat.usage.completion),
            _ => 0,
        };
        let tokens = chat.usage.prompt.saturating_add(answer);
        let model = outline.facts.model.unwrap_or_default();
        match self
            .limiter
            .lock()
            .admit(self.recorder.now(), outline.facts.group, model, tokens)
        {
            Admission::Granted { ticket, headers } => Ok((Some(ticket), headers)),
            Admission::Refused {
                error,
                message,
                retry_after,
                mut headers,
            } => {
                if let Some(wait) = retry_after {
                    headers.push(("retry-after", wait.as_secs_f64().ceil().to_string()));
                    headers.push(("retry-after-ms", wait.as_millis().max(1).to_string()));
                }
                let rendered = match message {
                    Some(message) => shaped(429, "tokens", Some("rate_limit_exceeded"), &message),
                    None => error.render(outline.token, outline.facts.model),
                };
                Err(Box::new(Done {
                    limits: headers,
                    ..Done::free(outline.error(rendered))
                }))
            }
        }
    }
}

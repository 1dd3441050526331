//! A request's way: read, choose a target, send, judge the answer, go elsewhere or pass it on.
//!
//! The rules. *Nothing goes to the client until the answer is known to be good*, and after its first byte there is no other attempt. *Bytes pass through*:
//! of the request only the model is spliced, of the answer nothing is touched. *A cut never looks like an end*: an answer that broke off
//! ends with an error event and an aborted connection. *Dropping is cancelling*: hyper drops this future or the answer's body when
//! the client goes away, and with it go the provider's connection and the attempt's ticket.
//!
//! ```text
//! intake ─> pick ─> outgoing ─> send ─> opening (hold) ─ good ─> commit ─> relay ─> client
//!             ^                            │ bad
//!             └───────── settle <── failure┘ ─ no attempt left ─> verdict ─> client
//! ```

use std::sync::Arc;
use std::time::Instant;

use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;

use crate::inbound::{AFTER_ERROR, Held, Intake, Passed, Pulse, Unread};
use crate::pool::Pool;
use crate::runtime::Runtime;
use crate::telemetry::Telemetry;
use crate::upstream::Client;

mod attempts;
mod client_body;
mod failure;
mod follow;
mod local;
mod opening;
mod outgoing;
mod refusal;
mod relay;
mod verdict;

pub(crate) use client_body::ClientBody;
pub(crate) use refusal::{Advice, Refusal};

/// Everything that serving a request needs.
pub struct Service {
    runtime: Arc<Runtime>,
    pool: Arc<Pool>,
    telemetry: Telemetry,
    upstream: Client,
    held: Held,
}

impl Service {
    /// Puts the parts together.
    pub fn new(runtime: Arc<Runtime>, pool: Arc<Pool>, telemetry: Telemetry, upstream: Client) -> Self {
        Self {
            runtime,
            pool,
            telemetry,
            upstream,
            held: Held::default(),
        }
    }

    /// Answers one request, whatever it is.
    pub(crate) async fn answer(&self, request: Request<Incoming>, pulse: Arc<Pulse>) -> Response<ClientBody> {
        let mut record = self.telemetry.begin(Instant::now());
        let (head, body) = request.into_parts();
        // The next head after a chunked body is one that we cannot check; its client may open another connection.
        let close = head.headers.contains_key(TRANSFER_ENCODING);
        let passed = match Passed::check(&self.runtime, &head, &pulse, &mut record) {
            Ok(passed) => passed,
            Err(refusal) => {
                if !body.is_end_stream() {
                    pulse.leave_unread();
                }
                return refusal.respond(record, pulse);
            }
        };
        let Some(suffix) = passed.operation.upstream_suffix() else {
            let unread = !body.is_end_stream();
            if unread {
                pulse.leave_unread();
            }
            return closing(local::answer(&passed, record, pulse), close || unread);
        };
        let intake = match Intake::read(body, &self.held).await {
            Ok(intake) => intake,
            Err(Unread::Refused(refusal)) => {
                pulse.leave_unread();
                return refusal.respond(record, pulse);
            }
            // The record ends as cancelled; what is answered is read by nobody.
            Err(Unread::ClientGone) => return closing(Response::new(ClientBody::nothing(pulse)), true),
        };
        pulse.answering();
        closing(
            attempts::run(self, passed, suffix, head.headers, intake, record, pulse).await,
            close,
        )
    }
}

fn closing(mut response: Response<ClientBody>, close: bool) -> Response<ClientBody> {
    if close {
        response.headers_mut().insert(CONNECTION, AFTER_ERROR);
    }
    response
}

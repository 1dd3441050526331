//! The attempts of one request, until one is good or none is left.

use std::sync::Arc;
use std::time::Instant;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Response, Version};
use keypool_dialect::{headers, redact};

use super::client_body::ClientBody;
use super::failure::{Failure, Refused};
use super::follow::Follow;
use super::local::model_not_found;
use super::opening::{self, Opening};
use super::refusal::REQUEST_ID;
use super::relay::Relay;
use super::verdict::{self, Given};
use super::{Service, outgoing};
use crate::inbound::{Intake, Passed, Pulse};
use crate::pool::{Attempted, Journey, Next, Target};
use crate::runtime::Resolution;
use crate::telemetry::Record;
use crate::upstream::Frames;

/// Names the member that served.
pub(super) const MEMBER: HeaderName = HeaderName::from_static("x-keypool-member");

/// One request, read whole.
struct Call<'a> {
    service: &'a Service,
    suffix: &'static str,
    /// The client's headers, stripped.
    headers: HeaderMap,
    intake: Intake,
    streamed: bool,
}

/// Serves a request that goes to a provider.
pub(super) async fn run(
    service: &Service,
    passed: Passed,
    suffix: &'static str,
    mut headers: HeaderMap,
    intake: Intake,
    mut record: Record,
    pulse: Arc<Pulse>,
) -> Response<ClientBody> {
    let Passed {
        snapshot,
        group,
        operation,
    } = passed;
    let model = intake.scan.model.as_deref();
    let streamed = intake.scan.stream && operation.can_stream();
    record.bytes_in(intake.length as u64);
    record.asked(model, streamed);
    let Resolution::Members(members) = group.resolve(model) else {
        return model_not_found(&group, model.unwrap_or_default()).respond(record, pulse);
    };
    headers::strip_request(&mut headers);
    let mut journey = service
        .pool
        .begin(snapshot, group.clone(), members, streamed, record.arrived());
    let call = Call {
        service,
        suffix,
        headers,
        intake,
        streamed,
    };
    let mut last = None;
    loop {
        let target = match journey.pick() {
            Ok(target) => target,
            Err(why) => {
                let asked = call.intake.scan.model.as_deref();
                let given = verdict::unavailable(&group, asked, why, last);
                return give(given, &journey, record, pulse);
            }
        };
        let open = OpenAttempt::begin(&mut record, &target);
        let failure = match call.attempt(&target).await {
            Ok(opening) => {
                journey.commit();
                open.end("success");
                record.served_by(&target);
                return pass_on(opening, &target, Some(journey), record, pulse);
            }
            Err(failure) => failure,
        };
        let attempted = failure.attempted();
        open.end(attempted.name());
        let reason = match journey.settle(attempted) {
            Next::Elsewhere => {
                last = Some((failure, target));
                continue;
            }
            Next::Done => None,
            Next::Stop(reason) => Some(reason),
        };
        let given = verdict::stopped(failure, target, reason, || journey.earliest());
        return give(given, &journey, record, pulse);
    }
}

/// An attempt that is being made. Dropped with its request, it was cancelled by the client.
struct OpenAttempt<'a> {
    record: &'a mut Record,
    target: &'a Target,
    began: Instant,
    ended: bool,
}

impl<'a> OpenAttempt<'a> {
    fn begin(record: &'a mut Record, target: &'a Target) -> Self {
        Self {
            record,
            target,
            began: Instant::now(),
            ended: false,
        }
    }

    fn end(mut self, outcome: &'static str) {
        self.ended = true;
        self.record.attempt(self.target, outcome, self.began.elapsed());
    }
}

impl Drop for OpenAttempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let name = Attempted::ClientGone.name();
            self.record.attempt(self.target, name, self.began.elapsed());
        }
    }
}

impl Call<'_> {
    async fn attempt(&self, target: &Target) -> Result<Opening, Failure> {
        let provider = target.provider();
        let limit = if self.streamed {
            provider.first_event_timeout
        } else {
            provider.response_timeout
        };
        let Some(path) = provider.endpoint.path(self.suffix) else {
            // The suffixes are constants of the dialect, and each endpoint has checked them.
            return Err(Failure::BrokenOff);
        };
        let request = outgoing::build(target, path, self.headers.clone(), &self.intake);
        let deadline = Instant::now() + limit;
        let answer = self
            .service
            .upstream
            .send(&provider.endpoint, request, limit)
            .await;
        let (head, body) = answer.map_err(Failure::Unanswered)?.into_parts();
        if head.status.is_success() {
            opening::open(target, self.intake.scan.n, head, body, deadline).await
        } else {
            Err(Failure::read(target, head, body).await)
        }
    }
}

/// Gives the client what is left to give.
fn give(given: Given, journey: &Journey, mut record: Record, pulse: Arc<Pulse>) -> Response<ClientBody> {
    let attempts = journey.attempts();
    match given {
        Given::Refusal(refusal) => refusal.respond(record, pulse),
        Given::Stream(failed, target) => {
            record.served_by(&target);
            pass_on(failed.opening, &target, None, record, pulse)
        }
        Given::Provider(refused, advice) => {
            let Refused {
                outcome,
                mut head,
                body,
                target,
            } = *refused;
            record.answered(head.status, Some(outcome.code));
            record.served_by(&target);
            clean(&mut head.headers, &target, &record);
            head.headers.remove(CONTENT_LENGTH);
            if let Some(advice) = advice {
                advice.and_stop(attempts > 1).apply(&mut head.headers);
            }
            head.version = Version::HTTP_11;
            Response::from_parts(head, ClientBody::whole(body.into(), record, pulse))
        }
    }
}

/// Lets a good answer go to the client.
fn pass_on(
    opening: Opening,
    target: &Target,
    journey: Option<Journey>,
    mut record: Record,
    pulse: Arc<Pulse>,
) -> Response<ClientBody> {
    let Opening {
        mut head,
        held,
        rest,
        follow,
        deadline,
    } = opening;
    record.answered(head.status, None);
    clean(&mut head.headers, target, &record);
    head.version = Version::HTTP_11;
    let body = match rest {
        None => {
            if !held.is_empty() {
                record.first_event();
            }
            if let Some(usage) = follow.finish() {
                record.usage(usage);
            }
            ClientBody::whole(Frames::from(held), record, pulse)
        }
        Some(answer) => {
            // An error event may have to follow the provider's bytes.
            if matches!(follow, Follow::Events(_)) {
                head.headers.remove(CONTENT_LENGTH);
            }
            let provider = Arc::clone(target.provider());
            let relay = Relay::new(held, answer, follow, provider, deadline, journey, record);
            ClientBody::relayed(relay, pulse)
        }
    };
    Response::from_parts(head, body)
}

/// Makes a provider's head fit for a client.
fn clean(headers: &mut HeaderMap, target: &Target, record: &Record) {
    headers::strip_response(headers);
    headers.remove(TRANSFER_ENCODING);
    let provider = target.provider();
    let mut values = headers.values();
    if values.any(|value| provider.ends.may_be_in(value.as_bytes(), provider.keys())) {
        let keys: Vec<&[u8]> = provider.keys().collect();
        redact::headers(headers, &keys);
    }
    headers.insert(REQUEST_ID, record.id().header());
    headers.insert(MEMBER, target.member.header.clone());
}

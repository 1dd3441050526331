//! What the client gets when no attempt was good: the true cause, in its dialect, with advice that stops needless repetition.
//!
//! The provider's own words go to the client where they are about the request or about the provider. What a provider says about *our* keys
//! does not: a client that is told "invalid API key" looks at its own.

use std::time::Duration;

use http::StatusCode;
use http::response::Parts;
use keypool_dialect::answer::Code;
use keypool_dialect::outcome::{Class, Outcome};
use keypool_dialect::redact;

use super::failure::{Failure, InStream, Refused, is_compressed};
use super::refusal::{Advice, Refusal};
use crate::pool::{StopReason, Target, Unavailable};
use crate::runtime::Group;
use crate::upstream::UpstreamError;

/// An answer to give.
pub(super) enum Given {
    /// Keypool's own.
    Refusal(Refusal),
    /// The provider's error. Without advice it is about the request, and the client's library knows better.
    Provider(Box<Refused>, Option<Advice>),
    /// The provider's stream, whose first event is an error.
    Stream(Box<InStream>, Target),
}

/// No target is left. `last` is the attempt before, if there was one.
pub(super) fn unavailable(
    group: &Group,
    model: Option<&str>,
    why: Unavailable,
    last: Option<(Failure, Target)>,
) -> Given {
    let summary = summary(group, model, &why);
    match last {
        Some((failure, target)) if !about_keys(&failure) => about_provider(failure, target, true),
        _ => Given::Refusal(summary),
    }
}

/// There is no further attempt, for this reason; none when the request itself is answered. `earliest` tells how long until another request
/// may be served, where waiting helps.
pub(super) fn stopped(
    failure: Failure,
    target: Target,
    reason: Option<StopReason>,
    earliest: impl FnOnce() -> Option<Duration>,
) -> Given {
    let repeated = !matches!(
        reason,
        None | Some(StopReason::ClientFault | StopReason::ClientGone)
    );
    if about_limits(&failure) {
        let message = "The provider's limits are reached for the keys that were tried for this request.";
        let advice = earliest().map_or_else(Advice::stop, Advice::after);
        return Given::Refusal(Refusal::new(Code::Limited, message).advising(advice.and_stop(repeated)));
    }
    if about_keys(&failure) {
        let message = "The provider refused the keys that were tried for this request.";
        return Given::Refusal(Refusal::new(Code::NoUsableKey, message).advising(Advice::stop()));
    }
    about_provider(failure, target, repeated)
}

/// Whether the provider spoke about a limit of a key or of its account: the causes that make an answer 429.
fn about_limits(failure: &Failure) -> bool {
    let class = failure.outcome().map(|outcome| outcome.class);
    matches!(class, Some(Class::Rate | Class::RateLong | Class::Credit))
}

/// Whether the provider spoke about a key rather than about the request or itself.
fn about_keys(failure: &Failure) -> bool {
    let class = failure.outcome().map(|outcome| outcome.class);
    about_limits(failure) || matches!(class, Some(Class::AuthDead | Class::AuthUnclear))
}

fn about_provider(failure: Failure, target: Target, stop: bool) -> Given {
    match failure {
        Failure::Unanswered(error) => Given::Refusal(unanswered(error, &target, stop)),
        Failure::BrokenOff => Given::Refusal(unanswered(UpstreamError::Lost, &target, stop)),
        Failure::InStream(failed) => Given::Stream(failed, target),
        Failure::Refused(refused) => in_words(refused, stop),
    }
}

fn in_words(mut refused: Box<Refused>, stop: bool) -> Given {
    let Refused { outcome, target, .. } = &*refused;
    if outcome.class == Class::Invalid || !fit(&refused.head) {
        return Given::Refusal(unanswered(UpstreamError::NotHttp, target, stop));
    }
    if outcome.class == Class::Env {
        let (provider, code) = (&target.provider().name, outcome.code);
        let message = format!("Provider {provider} does not serve this proxy ({code}).");
        return Given::Refusal(Refusal::new(Code::ProviderDown, message).advising(Advice::stop()));
    }
    let advice = advice(outcome, stop);
    if is_compressed(&refused.head.headers) {
        let (provider, status) = (&target.provider().name, refused.head.status.as_u16());
        let message =
            format!("Provider {provider} answered {status} with a compressed body, which is not passed on.");
        let advice = advice.unwrap_or_else(Advice::stop);
        return Given::Refusal(Refusal::new(Code::UpstreamInvalid, message).advising(advice));
    }
    if refused.head.status.is_success() {
        refused.head.status = status_of(outcome.class);
    }
    let keys: Vec<&[u8]> = refused.target.provider().keys().collect();
    redact::headers(&mut refused.head.headers, &keys);
    refused.body = refused
        .target
        .provider()
        .blanked(std::mem::take(&mut refused.body));
    Given::Provider(refused, advice)
}

/// Whether an answer is an error that a client can use: a redirect, which nobody follows, is none.
fn fit(head: &Parts) -> bool {
    !head.status.is_redirection() && !head.status.is_informational()
}

/// The status of an error that came with 200, so that a client sees it as one.
fn status_of(class: Class) -> StatusCode {
    match class {
        Class::Client | Class::TooBigForKey | Class::Model => StatusCode::BAD_REQUEST,
        Class::Overload => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    }
}

fn advice(outcome: &Outcome, stop: bool) -> Option<Advice> {
    match outcome.class {
        Class::Client | Class::Model => None,
        // No waiting makes it fit.
        Class::TooBigForKey => Some(Advice::stop()),
        _ => Some(
            outcome
                .hint
                .map_or_else(Advice::default, Advice::after)
                .and_stop(stop),
        ),
    }
}

fn unanswered(error: UpstreamError, target: &Target, stop: bool) -> Refusal {
    let provider = &target.provider().name;
    let cause = error.to_string();
    if error == UpstreamError::NotHttp {
        let message = format!("The answer of provider {provider} could not be understood.");
        return Refusal::new(Code::UpstreamInvalid, message).advising(Advice::stop());
    }
    if error.may_have_run() {
        let message = format!(
            "Provider {provider}: {cause}. It may have worked on the request, so Keypool does not repeat it."
        );
        return Refusal::new(Code::UpstreamTimeout, message).advising(Advice::stop());
    }
    Refusal::new(Code::ProviderDown, format!("Provider {provider}: {cause}."))
        .advising(Advice::after_secs(5).and_stop(stop))
}

fn summary(group: &Group, model: Option<&str>, why: &Unavailable) -> Refusal {
    let counts = &why.why;
    let seconds = why.earliest.map(|wait| wait.as_millis().div_ceil(1000).max(1));
    let first = seconds.map_or_else(String::new, |seconds| format!(" (first back in {seconds} s)"));
    let parts = [
        (counts.rate_limited, "cooling down"),
        (counts.refused, "refused"),
        (counts.exhausted, "out of credit"),
        (counts.invalid, "invalid"),
        (counts.disabled, "disabled or not for this model"),
        (counts.provider_down, "behind a provider that does not answer"),
        (counts.on_trial, "being tried again just now"),
        (counts.tried, "tried without success"),
    ];
    let mut told = Vec::new();
    for (count, what) in parts {
        let first = if told.is_empty() { &*first } else { "" };
        match (count, told.is_empty()) {
            (0, _) => {}
            (1, true) => told.push(format!("1 key {what}{first}")),
            (_, true) => told.push(format!("{count} keys {what}{first}")),
            _ => told.push(format!("{count} {what}")),
        }
    }
    let causes = if told.is_empty() {
        "it has no keys".to_owned()
    } else {
        told.join(", ")
    };
    let mut message = format!(
        "Group {} cannot serve {} now: {causes}.",
        group.name,
        model.unwrap_or(&group.name)
    );
    if why.attempts > 0 {
        message.push_str(&format!(" Tried {} of {}.", why.attempts, counts.total));
    }
    let code = if counts.limits_only() {
        Code::Limited
    } else if counts.provider_down > 0 && counts.refused + counts.rate_limited + counts.exhausted == 0 {
        Code::ProviderDown
    } else {
        Code::NoUsableKey
    };
    let advice = why.earliest.map_or_else(Advice::stop, Advice::after);
    Refusal::new(code, message).advising(advice)
}

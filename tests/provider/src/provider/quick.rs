//! The short way for benchmarks: fixed answers, nothing scripted, nothing counted but the keys that are known.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::request::Parts;

use super::{Current, FixedAnswers, Provider};
use crate::request::{Operation, bearer};
use crate::scenario::{Answers, Latency};
use crate::score::Pace;

/// A fixed answer.
#[derive(Debug)]
pub(crate) struct Quick(Arc<Current>);

impl Provider {
    /// The fixed answer for this request, when the scenario is one for benchmarks and nothing else speaks.
    pub(crate) fn quick(&self, head: &Parts) -> Option<Quick> {
        let current = self.current.load();
        let usable = current.quick
            && !self.recorder.is_on()
            && !self.scripted.load(Ordering::Acquire)
            && Operation::of(&head.method, head.uri.path()) == Operation::Chat;
        if !usable {
            return None;
        }
        let caller = current.keys.caller(bearer(&head.headers));
        if caller.refusal(&Operation::Chat, None).is_some() {
            return None;
        }
        self.recorder.count(caller.name(), |count| {
            count.requests += 1;
            *count.statuses.entry(200).or_default() += 1;
        });
        Some(Quick(Arc::clone(&current)))
    }
}

impl Current {
    /// Whether nothing in the scenario asks for more than fixed bytes at a fixed pace.
    pub(super) fn is_quick(scenario: &crate::Scenario) -> bool {
        let pace_only = crate::scenario::Answer {
            stream: scenario.normal.stream.clone(),
            first_event: scenario.normal.first_event,
            ..Default::default()
        };
        scenario.answers == Answers::Fixed && scenario.limits.is_empty() && scenario.normal == pace_only
    }
}

impl Quick {
    pub(crate) fn fixed(&self) -> &FixedAnswers {
        &self.0.fixed
    }

    pub(crate) fn pace(&self) -> Pace {
        let normal = &self.0.scenario.normal;
        let stream = normal.stream.as_ref();
        Pace {
            first: normal.first_event.unwrap_or_default(),
            cadence: stream
                .and_then(|stream| stream.cadence)
                .unwrap_or(Latency::Fixed(0.0)),
            together: stream.is_some_and(|stream| stream.together),
            stamp: stream.is_some_and(|stream| stream.stamp),
            seed: self.0.scenario.seed,
        }
    }
}

//! Limits that really count, per quota group and model.
//!
//! A request must pass every limit that is for it; when one refuses, nothing is charged to the others. Requests and tokens
//! fill continuously, as OpenAI's do: the reset header is the time until the bucket is *full*, `Retry-After` the time until
//! *this request* would pass.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::scenario::Limit;
use crate::vendor::{ErrorKind, go_duration};

mod bucket;

use bucket::Bucket;

/// Counts all groups of one provider.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    limits: Vec<Limit>,
    counters: HashMap<(usize, String, String), Counter>,
}

#[derive(Debug)]
struct Counter {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    running: Arc<AtomicU64>,
}

/// What the limiter says to one request.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It may run; the ticket is kept until it ends.
    Granted {
        /// Releases the concurrency slots when dropped.
        ticket: Ticket,
        /// The vendor's headers.
        headers: Vec<(&'static str, String)>,
    },
    /// It may not.
    Refused {
        /// Which error tells so.
        error: ErrorKind,
        /// The error's message, when it holds numbers.
        message: Option<String>,
        /// When it would pass; never for a request that is too large.
        retry_after: Option<Duration>,
        /// The vendor's headers.
        headers: Vec<(&'static str, String)>,
    },
}

/// Slots of concurrency limits; dropping it gives them back.
#[derive(Debug, Default)]
pub(crate) struct Ticket(Vec<Arc<AtomicU64>>);

impl Drop for Ticket {
    fn drop(&mut self) {
        for running in &self.0 {
            running.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Limiter {
    /// A limiter with full buckets.
    pub(crate) fn new(limits: Vec<Limit>) -> Self {
        Self {
            limits,
            counters: HashMap::new(),
        }
    }

    /// Asks for one request of `tokens` at `now` (time since any fixed start).
    pub(crate) fn admit(&mut self, now: Duration, group: &str, model: &str, tokens: u64) -> Admission {
        let keys: Vec<_> = self
            .limits
            .iter()
            .enumerate()
            .filter(|(_, limit)| limit.group.allow(group) && limit.model.allow(model))
            .map(|(i, limit)| {
                (
                    i,
                    group.to_owned(),
                    if limit.shared {
                        "*".to_owned()
                    } else {
                        model.to_owned()
                    },
                )
            })
            .collect();
        let mut headers = Vec::new();
        let mut refusal = None;
        for key in &keys {
            let limit = &self.limits[key.0];
            let counter = self
                .counters
                .entry(key.clone())
                .or_insert_with(|| Counter::new(limit, now));
            counter.refill(now);
            let refused = counter.refusal(limit, tokens, model);
            if refused.is_none() && refusal.is_none() {
                continue;
            }
            refusal = refusal.or(refused);
        }
        for key in &keys {
            let Some(counter) = self.counters.get_mut(key) else {
                continue;
            };
            if refusal.is_none() {
                counter.charge(tokens);
            }
            counter.headers(&mut headers);
        }
        if let Some((error, message, retry_after)) = refusal {
            return Admission::Refused {
                error,
                message,
                retry_after,
                headers,
            };
        }
        let slots = keys
            .iter()
            .filter_map(|key| self.counters.get(key))
            .map(|c| c.running.clone())
            .collect();
        Admission::Granted {
            ticket: Ticket(slots),
            headers,
        }
    }
}

type Refusal = (ErrorKind, Option<String>, Option<Duration>);

impl Counter {
    fn new(limit: &Limit, now: Duration) -> Self {
        let window = Duration::from_millis(limit.window_ms.unwrap_or(60_000));
        Self {
            requests: limit.requests_per_minute.map(|n| Bucket::full(n, window, now)),
            tokens: limit.tokens_per_minute.map(|n| Bucket::full(n, window, now)),
            running: Arc::default(),
        }
    }

    fn refill(&mut self, now: Duration) {
        for bucket in [&mut self.requests, &mut self.tokens].into_iter().flatten() {
            bucket.refill(now);
        }
    }

    fn refusal(&self, limit: &Limit, tokens: u64, model: &str) -> Option<Refusal> {
        if let Some(bucket) = &self.tokens
            && tokens > bucket.capacity()
        {
            let message = format!(
                "Request too large for {model} on tokens per min (TPM): Limit {}, Requested {tokens}.",
                bucket.capacity()
            );
            return Some((ErrorKind::RequestTooLarge, Some(message), None));
        }
        if let Some(most) = limit.concurrency
            && self.running.load(Ordering::Acquire) >= most
        {
            let message = format!("Rate limit reached for {model} on concurrent requests: Limit {most}.");
            return Some((
                ErrorKind::RateLimitExceeded,
                Some(message),
                Some(Duration::from_secs(1)),
            ));
        }
        let waits = [
            (&self.requests, 1, ErrorKind::RateLimitExceeded),
            (&self.tokens, tokens, ErrorKind::TokenLimitExceeded),
        ];
        waits.into_iter().find_map(|(bucket, amount, error)| {
            let wait = bucket.as_ref()?.wait_for(amount)?;
            Some((error, None, Some(wait)))
        })
    }

    fn charge(&mut self, tokens: u64) {
        self.running.fetch_add(1, Ordering::AcqRel);
        if let Some(bucket) = &mut self.requests {
            bucket.take(1);
        }
        if let Some(bucket) = &mut self.tokens {
            bucket.take(tokens);
        }
    }

    fn headers(&self, headers: &mut Vec<(&'static str, String)>) {
        let kinds = [
            (
                &self.requests,
                [
                    "x-ratelimit-limit-requests",
                    "x-ratelimit-remaining-requests",
                    "x-ratelimit-reset-requests",
                ],
            ),
            (
                &self.tokens,
                [
                    "x-ratelimit-limit-tokens",
                    "x-ratelimit-remaining-tokens",
                    "x-ratelimit-reset-tokens",
                ],
            ),
        ];
        for (bucket, names) in kinds {
            let Some(bucket) = bucket else { continue };
            if headers.iter().any(|(name, _)| *name == names[0]) {
                continue;
            }
            headers.push((names[0], bucket.capacity().to_string()));
            headers.push((names[1], bucket.remaining().to_string()));
            headers.push((names[2], go_duration(bucket.until_full())));
        }
    }
}

#[cfg(test)]
mod tests;

//! When may the provider be asked again? Reads every form that vendors use.
//!
//! The most exact source wins: `retry-after-ms`, then `retry-after`, then what the body says, then the reset time of a
//! limit whose remainder is zero (resets of limits that still have room say nothing, and the smallest of them is
//! usually the wrong one). A source that cannot be believed (negative, not a number, in the past, further away than
//! [`LONGEST`]) counts as absent, and the next one is asked. The result is from now and otherwise as the vendor said
//! it; clamping and jitter belong to the cooldown.
//!
//! A date is held against the answer's own `date` header where it has one, so that a wrong clock here does no harm.

mod duration;
mod instant;
mod phrase;

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// The most that is believed; a limit by the month stays below it.
pub const LONGEST: Duration = Duration::from_secs(32 * 24 * 3600);

/// Prefixes of the header pairs `<prefix>remaining<dimension>` and `<prefix>reset<dimension>`.
const LIMITS: [&str; 2] = ["x-ratelimit-", "ratelimit-"];

/// The hint of an answer, from now. `now` is the wall clock.
pub fn read(headers: &HeaderMap, body: &[u8], now: SystemTime) -> Option<Duration> {
    let now = text(headers, DATE.as_str())
        .and_then(instant::http_date)
        .unwrap_or(now);
    let milliseconds = || text(headers, "retry-after-ms").and_then(duration::milliseconds);
    let after = || text(headers, RETRY_AFTER.as_str()).and_then(|value| retry_after(value, now));
    believable(milliseconds())
        .or_else(|| believable(after()))
        .or_else(|| believable(phrase::find(body)))
        .or_else(|| reset(headers, now))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn believable(hint: Option<Duration>) -> Option<Duration> {
    hint.filter(|hint| *hint <= LONGEST)
}

fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    duration::seconds(value)
        .or_else(|| duration::units(value))
        .or_else(|| {
            let at = instant::http_date(value).or_else(|| instant::rfc3339(value))?;
            at.duration_since(now).ok()
        })
}

/// The latest reset among the limits that are used up.
fn reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let used_up = |prefix: &str, dimension: &str| {
        let remaining = text(headers, &format!("{prefix}remaining{dimension}"));
        remaining.and_then(duration::seconds) == Some(Duration::ZERO)
    };
    let resets = headers.keys().filter_map(|name| {
        let (prefix, dimension) = LIMITS
            .into_iter()
            .find_map(|prefix| Some((prefix, name.as_str().strip_prefix(prefix)?.strip_prefix("reset")?)))?;
        let value = text(headers, name.as_str()).filter(|_| used_up(prefix, dimension))?;
        believable(reset_time(value, now))
    });
    resets.max()
}

/// A reset is a delay or an instant; a bare number is a delay in seconds unless it can only be a date.
fn reset_time(value: &str, now: SystemTime) -> Option<Duration> {
    if let Some(delay) = duration::units(value) {
        return Some(delay);
    }
    let at = match duration::seconds(value) {
        Some(number) => match instant::unix(number) {
            Some(at) => at,
            None => return Some(number),
        },
        None => instant::rfc3339(value).or_else(|| instant::http_date(value))?,
    };
    at.duration_since(now).ok()
}

#[cfg(test)]
mod tests;

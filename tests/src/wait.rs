//! Waiting for a condition with a limit. Tests do not sleep: they say what
//! they wait for, and a wait that runs out tells what was last seen.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Short enough not to show in a test's time, long enough not to load a
/// two-core machine that is busy with what is being waited for.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
#[error("waited {limit:?} for {what}; last seen: {seen}")]
pub struct TimedOut {
    pub what: String,
    pub limit: Duration,
    pub seen: String,
}

/// Calls `look` until it answers `Ok`; `Err` is what was seen instead.
///
/// A single look that takes longer than the limit is cut off too.
pub async fn until<T, S, F>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> Result<T, TimedOut>
where
    F: Future<Output = Result<T, S>>,
    S: Debug,
{
    let end = Instant::now() + limit;
    let mut seen = String::from("nothing");
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(other)) => seen = format!("{other:?}"),
            Err(_) if left.is_zero() => {}
            Err(_) => seen.push_str(" (and a last look that did not end)"),
        }
        if Instant::now() + PAUSE >= end {
            return Err(TimedOut {
                what: what.to_owned(),
                limit,
                seen,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Like [`until`] for a condition that is true or false of an observed value.
pub async fn until_value<T, E, F>(
    what: &str,
    limit: Duration,
    mut observe: impl FnMut() -> F,
    condition: impl Fn(&T) -> bool,
) -> Result<T, TimedOut>
where
    F: Future<Output = Result<T, E>>,
    T: Debug,
    E: Debug,
{
    until(what, limit, || {
        let observed = observe();
        async {
            match observed.await {
                Ok(value) if condition(&value) => Ok(value),
                other => Err(other),
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_that_runs_out_tells_what_it_saw() {
        let limit = Duration::from_millis(120);
        let mut looks = 0;
        let error = until::<(), _, _>("the moon", limit, || {
            looks += 1;
            async { Err("clouds") }
        })
        .await
        .unwrap_err();
        assert!(looks > 1);
        assert_eq!(
            error.to_string(),
            "waited 120ms for the moon; last seen: \"clouds\""
        );
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_cut_off() {
        let hang = || std::future::pending::<Result<(), ()>>();
        let error = until("an answer", Duration::from_millis(60), hang)
            .await
            .unwrap_err();
        assert!(error.seen.contains("did not end"), "{error}");
    }

    #[tokio::test]
    async fn the_value_that_holds_is_given_back() {
        let mut next = 0;
        let observe = || {
            next += 1;
            std::future::ready(Ok::<_, ()>(next))
        };
        let seen = until_value("three", Duration::from_secs(5), observe, |n| *n == 3)
            .await
            .unwrap();
        assert_eq!(seen, 3);
    }
}

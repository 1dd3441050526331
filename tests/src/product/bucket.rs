//! How often the operator writes an object's status.

use std::time::{Duration, Instant};

use crate::wait::{self, TimedOut};
use crate::watcher::Watcher;

/// So many writes at once.
pub const BURST: usize = 5;
/// And one more for each of these.
pub const REFILL: Duration = Duration::from_secs(10);

/// Waits until the bucket of an object has a write left, by all versions of it
/// that a watcher saw: what happens next then shows at once.
pub async fn room(watcher: &Watcher, name: &str) -> Result<(), TimedOut> {
    let what = format!("room in the bucket of {name}");
    wait::until(&what, 2 * REFILL, || {
        let versions = watcher.versions(name);
        let left = left(versions.iter().map(|seen| seen.at), Instant::now());
        std::future::ready(if left >= 1.0 { Ok(()) } else { Err(left) })
    })
    .await
}

/// What a bucket holds that was full before the first of these writes.
fn left(writes: impl Iterator<Item = Instant>, now: Instant) -> f64 {
    let full = BURST as f64;
    let flow = |from: Instant, to: Instant| (to - from).as_secs_f64() / REFILL.as_secs_f64();
    let empty: Option<(f64, Instant)> = None;
    let last = writes.fold(empty, |last, at| {
        let held = last.map_or(full, |(left, before)| (left + flow(before, at)).min(full));
        Some(((held - 1.0).max(0.0), at))
    });
    last.map_or(full, |(left, before)| (left + flow(before, now)).min(full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_empty_it_and_time_fills_it() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        for (writes, now, expected) in [
            (&[][..], 0, 5.0),
            (&[0, 0, 0, 0, 0], 0, 0.0),
            (&[0, 0, 0, 0, 0], 10, 1.0),
            (&[0, 0, 0, 0, 0, 0], 10, 1.0),
            (&[0, 100, 100], 105, 3.5),
        ] {
            let left = left(writes.iter().map(|second| at(*second)), at(now));
            assert!((left - expected).abs() < 1e-6, "{writes:?} {now}: {left}");
        }
    }
}

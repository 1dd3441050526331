//! How long after the provider did something it was seen.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use keypool_fake_provider::Entry;
use keypool_tests::watcher::Seen;

/// What the issue promises.
const IN_TIME: Duration = Duration::from_secs(2);

/// When the provider got the request, on the machine's clock.
pub(crate) fn after(entry: &Entry) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(entry.wall_ms)
}

/// The watch showed it within two seconds of the provider's answer.
pub(crate) fn told_in_time(seen: &Seen, entry: &Entry) -> anyhow::Result<()> {
    let took = seen.time.duration_since(after(entry))?;
    ensure!(took <= IN_TIME, "seen {took:?} after the provider's answer");
    Ok(())
}

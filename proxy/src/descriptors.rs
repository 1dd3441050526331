//! How many files the process may have open: each request takes two, its client's connection and its provider's.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What all places of clients take, with their providers' connections and everything else.
const ENOUGH: u64 = 20_000;

/// Takes as many as the system allows. Container runtimes start processes with a low soft limit (often 1,024), which is meant for
/// programs that still use `select`; at it, providers would seem to refuse connections, and health checks would fail.
pub(crate) fn process() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    // None is no limit.
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    if let Some(limit) = limit.filter(|limit| *limit < ENOUGH) {
        tracing::warn!(
            limit,
            enough = ENOUGH,
            "few files may be open: each request takes two"
        );
    }
}

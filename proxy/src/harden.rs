//! What keeps keys from leaving with the process's memory.

use std::io::Write;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core dumps, no reading of our memory by others of our user, and panics that tell a place and no payload.
pub(crate) fn process() {
    // A kernel or sandbox that refuses these refuses a safety net, not the service.
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        let _ = writeln!(std::io::stderr(), "keypool-proxy: panic at {place}");
    }));
}

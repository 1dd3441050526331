//! Lines for whoever watches the run: why a ring is skipped, where logs are.
//!
//! They go past the capture of test output, which would swallow them.

use std::fmt::Display;
use std::io::Write as _;

/// One line on standard error. A closed standard error is nobody watching.
pub fn line(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

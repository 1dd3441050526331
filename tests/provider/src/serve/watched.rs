//! A trace that knows its connection, so that the log tells who ended an exchange: the script, the control API or the client.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::wire::WireControl;
use crate::record::Trace;

/// Closes the log line with the right outcome when it is dropped.
#[derive(Debug)]
pub(crate) struct Watched {
    trace: Trace,
    wire: Arc<WireControl>,
}

impl Watched {
    pub(crate) fn new(trace: Trace, wire: Arc<WireControl>) -> Self {
        Self { trace, wire }
    }

    pub(crate) fn wire(&self) -> &WireControl {
        &self.wire
    }
}

impl Deref for Watched {
    type Target = Trace;

    fn deref(&self) -> &Trace {
        &self.trace
    }
}

impl DerefMut for Watched {
    fn deref_mut(&mut self) -> &mut Trace {
        &mut self.trace
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(outcome) = self.wire.ended_by_us() {
            self.trace.finish(outcome);
        }
    }
}

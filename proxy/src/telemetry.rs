//! What the process tells about itself: metrics, the access log, its own log. Names and numbers only; never a key, a
//! prompt or a completion.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

mod access_log;
mod labels;
mod line;
mod meters;
mod metrics;
mod record;
mod request_id;
mod subscriber;

pub use access_log::{AccessLog, AccessLogError, Sink};
pub(crate) use meters::{GroupMeters, MemberMeters};
pub use metrics::Metrics;
pub use record::{End, Record};
pub use request_id::RequestId;
pub use subscriber::subscribe;

/// Where everything is told.
#[derive(Clone)]
pub struct Telemetry {
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// One line per request; none when it is switched off.
    pub access_log: Option<Arc<AccessLog>>,
}

impl Telemetry {
    /// Begins the record of one request, whose head has just been read.
    pub fn begin(&self, arrived: Instant) -> Record {
        Record::new(self.clone(), arrived, SystemTime::now())
    }
}

#[cfg(test)]
mod tests;

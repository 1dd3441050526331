//! A bounded load generator for tests and benchmarks.
//!
//! It has to cost much less than what it measures, so it is raw epoll with a reader that looks at nothing but lengths, chunk
//! borders and event ends. Closed loop (each connection asks again when it was answered) tells throughput; open loop (a fixed
//! rate, latency counted from the intended start, so that a stall is felt by every request it delays) tells latency.
//! An answer that is short, has another number of events than expected, or lacks `[DONE]` is an error, not a fast answer.

mod alarm;
mod connection;
mod histogram;
mod reader;
mod report;
mod request;
mod stats;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use histogram::{Histogram, Percentiles};
pub use report::Report;
pub use request::BodyKind;

use stats::Stats;
use worker::Worker;

/// What load to make.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where to connect.
    pub target: SocketAddr,
    /// Path of the request.
    pub path: String,
    /// `Host` header; left out: the address.
    pub host: Option<String>,
    /// Bearer token.
    pub key: String,
    /// Model in the body.
    pub model: String,
    /// Ask for streams.
    pub stream: bool,
    /// Size of the request body.
    pub body_bytes: usize,
    /// What the prompt is made of.
    pub body_kind: BodyKind,
    /// Connections; in open loop the most requests at a time.
    pub connections: usize,
    /// Threads.
    pub threads: usize,
    /// Requests per second in open loop; none: closed loop.
    pub rate: Option<f64>,
    /// What ends the load.
    pub amount: Amount,
    /// Time at the beginning that is not counted.
    pub warmup: Duration,
    /// Events that each stream must have (`[DONE]` included).
    pub expect_events: Option<u64>,
    /// Body bytes that each answer must have.
    pub expect_bytes: Option<u64>,
    /// Read the send time out of each event (the fake provider's `stamp`).
    pub stamped: bool,
    /// Give up when nothing is heard for so long.
    pub patience: Duration,
}

impl LoadOptions {
    /// One connection, one thread, a second, small JSON.
    pub fn to(target: SocketAddr) -> Self {
        Self {
            target,
            path: "/v1/chat/completions".to_owned(),
            host: None,
            key: "sk-load".to_owned(),
            model: "gpt-4o-mini".to_owned(),
            stream: false,
            body_bytes: 400,
            body_kind: BodyKind::Prose,
            connections: 1,
            threads: 1,
            rate: None,
            amount: Amount::Time(Duration::from_secs(1)),
            warmup: Duration::ZERO,
            expect_events: None,
            expect_bytes: None,
            stamped: false,
            patience: Duration::from_secs(30),
        }
    }
}

/// What ends a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So long (after the warm-up); what runs then is not counted.
    Time(Duration),
    /// So many requests, errors included.
    Requests(u64),
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing to do.
    #[error("connections, threads and rate must be above zero")]
    Nothing,
    /// The target does not accept.
    #[error("cannot connect to {target}: {error}")]
    Connect {
        /// The target.
        target: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The machine refused something.
    #[error("{call}: {error}")]
    System {
        /// What was asked of it.
        call: &'static str,
        /// Why.
        error: std::io::Error,
    },
    /// A thread died.
    #[error("a load thread panicked")]
    Panicked,
}

/// Makes the load and blocks until it is done.
pub fn run(options: &LoadOptions) -> Result<Report, LoadError> {
    let threads = options.threads.min(options.connections);
    if threads == 0 || options.rate.is_some_and(|rate| rate <= 0.0) {
        return Err(LoadError::Nothing);
    }
    let request: Arc<[u8]> = request::render(options).into();
    let workers = (0..threads)
        .map(|n| Worker::new(options, request.clone(), n, threads))
        .collect::<Result<Vec<_>, _>>()?;
    let running: Vec<_> = workers
        .into_iter()
        .map(|worker| thread::spawn(move || worker.run()))
        .collect();
    let mut total = Stats::default();
    for thread in running {
        total.add(&thread.join().map_err(|_| LoadError::Panicked)??);
    }
    Ok(Report::new(options, &total))
}

#[cfg(test)]
mod tests;

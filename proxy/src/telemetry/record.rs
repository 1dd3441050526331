//! The record of one request: filled while it goes its way, told once at its end.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use keypool_dialect::operation::Operation;
use keypool_dialect::usage::Usage;

use super::labels::Outcome;
use super::{RequestId, Telemetry, line};
use crate::pool::Target;
use crate::runtime::{Group, Member};

/// How a request ended, seen from the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The whole answer went out.
    Complete,
    /// The answer was broken off by the provider or by us.
    Cut,
    /// The client went away.
    Cancelled,
}

/// One request. Dropped without [`Record::end`], it counts as cancelled by the client.
pub struct Record {
    telemetry: Telemetry,
    told: bool,
    /// Boxed: a record travels through many hands.
    pub(super) entry: Box<Entry>,
}

/// What is known of it.
pub(super) struct Entry {
    pub(super) id: RequestId,
    pub(super) arrived: Instant,
    pub(super) time: SystemTime,
    pub(super) group: Option<Arc<Group>>,
    pub(super) client: Option<Arc<str>>,
    pub(super) operation: Option<Operation>,
    pub(super) model: Option<Box<str>>,
    pub(super) stream: bool,
    pub(super) attempts: Vec<Attempt>,
    pub(super) served: Option<(Arc<Member>, usize)>,
    pub(super) status: Option<StatusCode>,
    pub(super) code: Option<&'static str>,
    pub(super) first_event: Option<Duration>,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) usage: Option<Usage>,
}

pub(super) struct Attempt {
    pub(super) member: Arc<Member>,
    pub(super) credential: usize,
    pub(super) outcome: &'static str,
    pub(super) took: Duration,
}

impl Record {
    pub(super) fn new(telemetry: Telemetry, arrived: Instant, time: SystemTime) -> Self {
        Self {
            telemetry,
            told: false,
            entry: Box::new(Entry {
                id: RequestId::new(time),
                arrived,
                time,
                group: None,
                client: None,
                operation: None,
                model: None,
                stream: false,
                attempts: Vec::new(),
                served: None,
                status: None,
                code: None,
                first_event: None,
                bytes_in: 0,
                bytes_out: 0,
                usage: None,
            }),
        }
    }

    /// The request's name.
    pub fn id(&self) -> RequestId {
        self.entry.id
    }

    /// When its head was read.
    pub fn arrived(&self) -> Instant {
        self.entry.arrived
    }

    /// The caller may go on. Counts the request as in flight from here to its end.
    pub fn admitted(&mut self, group: &Arc<Group>, client: Option<Arc<str>>) {
        if self.entry.group.is_none() {
            group.meters.in_flight.inc();
            self.entry.group = Some(group.clone());
        }
        self.entry.client = client;
    }

    /// What is asked.
    pub fn operation(&mut self, operation: Operation) {
        self.entry.operation = Some(operation);
    }

    /// The model that the client named, and whether it asked for a stream.
    pub fn asked(&mut self, model: Option<&str>, stream: bool) {
        self.entry.model = model.map(line::bounded);
        self.entry.stream = stream;
    }

    /// An attempt ended; `outcome` is [`crate::pool::Attempted::name`].
    pub fn attempt(&mut self, target: &Target, outcome: &'static str, took: Duration) {
        let outcome = Outcome::named(outcome);
        target
            .member
            .meters
            .count_attempt(&target.member, target.credential_index(), outcome);
        self.entry.attempts.push(Attempt {
            member: target.member.clone(),
            credential: target.credential_index(),
            outcome: outcome.name(),
            took,
        });
    }

    /// This target's answer goes to the client.
    pub fn served_by(&mut self, target: &Target) {
        self.entry.served = Some((target.member.clone(), target.credential_index()));
    }

    /// The status that the client gets, and the code where the answer is an error: Keypool's own, or the outcome's.
    pub fn answered(&mut self, status: StatusCode, code: Option<&'static str>) {
        self.entry.status = Some(status);
        self.entry.code = code;
    }

    /// The first content event of a stream, or the first byte of another answer, goes out now. The first call counts.
    pub fn first_event(&mut self) {
        let since = self.entry.arrived.elapsed();
        self.entry.first_event.get_or_insert(since);
    }

    /// Bytes of the request's body.
    pub fn bytes_in(&mut self, bytes: u64) {
        self.entry.bytes_in = self.entry.bytes_in.saturating_add(bytes);
    }

    /// Bytes of the answer's body.
    pub fn bytes_out(&mut self, bytes: u64) {
        self.entry.bytes_out = self.entry.bytes_out.saturating_add(bytes);
    }

    /// What the answer says was used.
    pub fn usage(&mut self, usage: Usage) {
        self.entry.usage = Some(usage);
    }

    /// The request is over.
    pub fn end(mut self, end: End) {
        self.tell(end);
    }

    fn tell(&mut self, end: End) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let took = self.entry.arrived.elapsed();
        self.telemetry.metrics.request(&self.entry, took);
        if let Some(log) = &self.telemetry.access_log {
            log.write(|buffer| line::write(buffer, &self.entry, took, end));
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.tell(End::Cancelled);
    }
}

impl End {
    /// The word in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Cut => "cut",
            Self::Cancelled => "cancelled",
        }
    }
}

//! One client request's way over targets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keypool_balance::{Attempts, MemberSet, Next, Observation, Request, Ticket};

use super::Pool;
use super::observe::Attempted;
use super::target::Target;
use super::unavailable::Unavailable;
use crate::runtime::{Group, Snapshot};

/// The attempts of one request: `pick`, then `settle` or `commit`, again while `settle` says [`Next::Elsewhere`].
///
/// An attempt that is neither settled nor committed when the journey is dropped counts as cancelled by the client: it
/// returns a trial undecided and teaches nothing.
pub struct Journey {
    pool: Arc<Pool>,
    snapshot: Arc<Snapshot>,
    group: Arc<Group>,
    members: MemberSet,
    streamed: bool,
    attempts: Attempts,
    open: Option<Ticket>,
    committed: Option<Ticket>,
}

impl Pool {
    /// Begins a request's way. `arrived` is when its head was read; `streamed` says whether the client asked for a
    /// stream.
    pub fn begin(
        self: &Arc<Self>,
        snapshot: Arc<Snapshot>,
        group: Arc<Group>,
        members: MemberSet,
        streamed: bool,
        arrived: Instant,
    ) -> Journey {
        Journey {
            attempts: Attempts::new(self.time_of(arrived)),
            pool: self.clone(),
            snapshot,
            group,
            members,
            streamed,
            open: None,
            committed: None,
        }
    }
}

impl Journey {
    /// Chooses the target of the next attempt.
    ///
    /// # Errors
    /// When nothing can serve the request now.
    pub fn pick(&mut self) -> Result<Target, Unavailable> {
        self.cancel();
        let request = self.request();
        let (target, ticket) = self
            .pool
            .pick(&self.snapshot, &self.group, request, &mut self.attempts)?;
        self.open = Some(ticket);
        Ok(target)
    }

    /// How long until the request may be served, were it sent again; none when waiting cannot help.
    pub fn earliest(&self) -> Option<Duration> {
        self.pool
            .earliest(&self.snapshot, &self.group, self.request(), &self.attempts)
    }

    /// Tells how the attempt ended, nothing of it having gone to the client, and asks whether to make another.
    pub fn settle(&mut self, attempted: Attempted<'_>) -> Next {
        let Some(ticket) = self.open.take() else {
            return Next::Done;
        };
        self.pool
            .settle(&ticket, attempted.observation(), &mut self.attempts)
    }

    /// The answer is known to be good: its first byte goes to the client. There is no other attempt after it.
    pub fn commit(&mut self) {
        if let Some(ticket) = self.open.take() {
            self.pool
                .settle(&ticket, Observation::Success, &mut self.attempts);
            self.committed = Some(ticket);
        }
    }

    /// After the commit: the provider broke the answer off or reported an error in the stream.
    pub fn cut(&mut self) {
        if let Some(ticket) = self.committed.take() {
            self.pool.settle(&ticket, Observation::Cut, &mut self.attempts);
        }
    }

    /// After the commit: the answer came to its end. Told only where it could have broken off.
    pub fn complete(&mut self) {
        if let Some(ticket) = self.committed.take() {
            self.pool
                .settle(&ticket, Observation::Completed, &mut self.attempts);
        }
    }

    /// Attempts that were started.
    pub fn attempts(&self) -> usize {
        self.attempts.count()
    }

    fn request(&self) -> Request {
        Request {
            group: self.group.index,
            members: self.members,
            streamed: self.streamed,
        }
    }

    fn cancel(&mut self) {
        if let Some(ticket) = self.open.take() {
            self.pool
                .settle(&ticket, Observation::Cancelled, &mut self.attempts);
        }
    }
}

impl Drop for Journey {
    fn drop(&mut self) {
        self.cancel();
    }
}

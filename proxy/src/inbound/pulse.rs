//! What a client's connection is waiting for, and since when.
//!
//! hyper's own head timeout makes and frees a timer for every request and also ends idle connections. Here the byte stream, the
//! service and the answer's body only note what happens; the connection's task derives the one deadline that counts from
//! that and sets its timer anew only when a deadline moved closer, so a request costs no timer at all.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;

use super::lint::Flaw;

/// From the connection to its first byte.
const FIRST_BYTE: Duration = Duration::from_secs(10);
/// From a head's first byte to its last.
const HEAD: Duration = Duration::from_secs(10);
/// From the end of an answer to the next request.
const IDLE: Duration = Duration::from_secs(75);
/// While draining: how long a connection may take to begin a request, from its start or from its last answer. A client that keeps
/// its connection busy gets one more answer, which tells it to close; closed between two requests, it could be in the middle of
/// sending one and never know whether that was served.
const LATE: Duration = Duration::from_secs(1);
/// How long what is left of a refused request is read away, so that the client sees the answer and no reset.
const LINGER: Duration = Duration::from_secs(2);
/// How long a client may take nothing of what is written to it.
const STALL: Duration = Duration::from_secs(60);

/// What a connection waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Its first byte.
    Fresh,
    /// The next request.
    Idle,
    /// The rest of a head.
    Head,
    /// Us: a request is being read or refused; its own limits apply.
    Busy,
    /// Us: a request that is here whole is being answered. Only the client's leaving is of interest now.
    Answering,
    /// The end of what a refused client still sends.
    Linger,
}

/// Noted by everything that serves one connection; all of it runs in one task.
pub(crate) struct Pulse {
    epoch: Instant,
    phase: AtomicU8,
    since: AtomicU64,
    /// Milliseconds of the moment since which the socket takes nothing, plus one; 0 while it does.
    blocked: AtomicU64,
    flaw: AtomicU8,
    unread: AtomicBool,
    aborting: AtomicBool,
    left: AtomicBool,
    flushed: AtomicWaker,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            phase: AtomicU8::new(Phase::Fresh as u8),
            since: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            flaw: AtomicU8::new(0),
            unread: AtomicBool::new(false),
            aborting: AtomicBool::new(false),
            left: AtomicBool::new(false),
            flushed: AtomicWaker::new(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Fresh,
            1 => Phase::Idle,
            2 => Phase::Head,
            3 => Phase::Busy,
            4 => Phase::Answering,
            _ => Phase::Linger,
        }
    }

    fn enter(&self, phase: Phase) {
        self.since.store(self.now(), Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Bytes came in.
    pub(super) fn arrived(&self) {
        if matches!(self.phase(), Phase::Fresh | Phase::Idle) {
            self.enter(Phase::Head);
        }
    }

    /// A head is complete.
    pub(super) fn busy(&self) {
        self.phase.store(Phase::Busy as u8, Ordering::Relaxed);
    }

    /// A request is here whole.
    pub(crate) fn answering(&self) {
        self.phase.store(Phase::Answering as u8, Ordering::Relaxed);
    }

    /// The client went away while it was being answered.
    pub(super) fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    /// Whether it did.
    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// An answer is given away.
    pub(crate) fn idle(&self) {
        self.enter(Phase::Idle);
    }

    /// The request's body was not read to its end.
    pub(crate) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// The connection closes. True when the client may still be sending.
    pub(super) fn closing(&self) -> bool {
        let unread = self.unread.load(Ordering::Relaxed);
        if unread && self.phase() != Phase::Linger {
            self.enter(Phase::Linger);
        }
        unread
    }

    /// The byte stream saw a flaw in a head.
    pub(super) fn flawed(&self, flaw: Flaw) {
        self.flaw.store(flaw as u8, Ordering::Relaxed);
    }

    /// The flaw that was seen, if any.
    pub(super) fn flaw(&self) -> Option<Flaw> {
        Flaw::from_number(self.flaw.load(Ordering::Relaxed))
    }

    /// The socket takes nothing.
    pub(super) fn block(&self) {
        if self.blocked.load(Ordering::Relaxed) == 0 {
            self.blocked.store(self.now() + 1, Ordering::Relaxed);
        }
    }

    /// The socket took something.
    pub(super) fn unblock(&self) {
        if self.blocked.load(Ordering::Relaxed) != 0 {
            self.blocked.store(0, Ordering::Relaxed);
            self.flushed.wake();
        }
    }

    /// Waits until the socket takes again what is written.
    pub(crate) fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.blocked.load(Ordering::Relaxed) == 0 {
            return Poll::Ready(());
        }
        self.flushed.register(cx.waker());
        Poll::Pending
    }

    /// The drain limit has passed: open answers end now.
    pub(super) fn abort(&self) {
        self.aborting.store(true, Ordering::Relaxed);
    }

    /// Whether an open answer must end now.
    pub(crate) fn is_aborting(&self) -> bool {
        self.aborting.load(Ordering::Relaxed)
    }

    /// When the connection is given up if nothing happens; none while only we keep the client waiting.
    pub(super) fn deadline(&self, draining: bool) -> Option<Instant> {
        let limit = match self.phase() {
            Phase::Fresh if draining => Some(LATE),
            Phase::Fresh => Some(FIRST_BYTE),
            // hyper has the answer whole; the client has not.
            Phase::Idle if self.blocked.load(Ordering::Relaxed) != 0 => None,
            Phase::Idle if draining => Some(LATE),
            Phase::Idle => Some(IDLE),
            Phase::Head => Some(HEAD),
            Phase::Linger => Some(LINGER),
            Phase::Busy | Phase::Answering => None,
        };
        let waiting = limit.map(|limit| self.at(self.since.load(Ordering::Relaxed)) + limit);
        let stalled = match self.blocked.load(Ordering::Relaxed) {
            0 => None,
            since => Some(self.at(since - 1) + STALL),
        };
        [waiting, stalled].into_iter().flatten().min()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn at(&self, millis: u64) -> Instant {
        self.epoch + Duration::from_millis(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(pulse: &Pulse, draining: bool) -> Option<u64> {
        pulse
            .deadline(draining)
            .map(|at| (at - pulse.epoch).as_secs_f64().round() as u64)
    }

    #[test]
    fn each_phase_has_its_limit() {
        let pulse = Pulse::new();
        assert_eq!((left(&pulse, false), left(&pulse, true)), (Some(10), Some(1)));
        pulse.arrived();
        assert_eq!((pulse.phase(), left(&pulse, false)), (Phase::Head, Some(10)));
        pulse.busy();
        assert_eq!(left(&pulse, false), None);
        pulse.arrived();
        assert_eq!(pulse.phase(), Phase::Busy, "a body's bytes begin no head");
        pulse.answering();
        assert_eq!((pulse.phase(), left(&pulse, false)), (Phase::Answering, None));
        pulse.block();
        assert_eq!(left(&pulse, false), Some(60));
        pulse.unblock();
        assert_eq!(left(&pulse, false), None);
        pulse.idle();
        assert_eq!((left(&pulse, false), left(&pulse, true)), (Some(75), Some(1)));
        pulse.block();
        assert_eq!((left(&pulse, false), left(&pulse, true)), (Some(60), Some(60)));
        pulse.unblock();
        assert!(!pulse.closing());
        assert_eq!(pulse.phase(), Phase::Idle);
        pulse.leave_unread();
        assert!(pulse.closing());
        assert_eq!(left(&pulse, false), Some(2));
    }
}

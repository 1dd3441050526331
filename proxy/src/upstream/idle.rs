//! Idle connections of one address: a stack, because the one that was used last is the least likely to be closed.
//!
//! Each serving thread has a stack of its own: a connection belongs to the reactor of the thread that opened it, and using it from another
//! would wake that thread for every event.

use std::cell::Cell;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::exchange::Live;

/// How long a connection may idle: below the provider's own limit, so that we close first.
const IDLE: Duration = Duration::from_secs(30);
/// How often connections that are too old or dead are dropped.
pub(super) const SWEEP: Duration = Duration::from_secs(5);
/// Idle connections that one thread keeps for one address.
const MAX_IDLE: usize = 1024;

/// Stacks of one address; threads beyond this number share.
const STACKS: usize = 32;

thread_local! {
    static STACK: Cell<usize> = const { Cell::new(0) };
}

/// Gives this thread the stack of this number. Threads that never ask share the first.
pub(crate) fn settle_on(number: usize) {
    STACK.set(number % STACKS);
}

/// One address's idle connections.
#[derive(Default)]
pub(super) struct Origin {
    stacks: [Mutex<Vec<Parked>>; STACKS],
}

struct Parked {
    live: Live,
    since: Instant,
}

impl Origin {
    /// A connection that is alive as far as can be seen without sending anything.
    pub(super) fn take(&self, cx: &mut Context<'_>) -> Option<Live> {
        loop {
            let mut parked = self.stack().lock().pop()?;
            if parked.since.elapsed() < IDLE && parked.live.is_idle(cx) {
                return Some(parked.live);
            }
        }
    }

    /// Keeps a connection whose exchange is over.
    pub(super) fn park(&self, live: Live) {
        let parked = Parked {
            live,
            since: Instant::now(),
        };
        let mut stack = self.stack().lock();
        if stack.len() < MAX_IDLE {
            stack.push(parked);
        }
    }

    /// Closes what is too old or was closed by the peer. What was used since the last sweep is left alone.
    pub(super) fn sweep(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        for stack in &self.stacks {
            stack.lock().retain_mut(|parked| {
                let age = parked.since.elapsed();
                age < SWEEP || (age < IDLE && parked.live.is_idle(&mut cx))
            });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stacks.iter().all(|stack| stack.lock().is_empty())
    }

    fn stack(&self) -> &Mutex<Vec<Parked>> {
        // The number is below the array's length by its making.
        &self.stacks[STACK.get()]
    }
}

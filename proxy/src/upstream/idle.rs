//! Idle connections of one address: a stack, because the one that was used last is the least likely to be closed.

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::exchange::Live;

/// How long a connection may idle: below the provider's own limit, so that we close first.
const IDLE: Duration = Duration::from_secs(30);
/// Idle connections that one address keeps.
const MAX_IDLE: usize = 1024;

/// One address's idle connections.
#[derive(Default)]
pub(super) struct Origin {
    stack: Mutex<Vec<Parked>>,
}

struct Parked {
    live: Live,
    since: Instant,
}

impl Origin {
    /// A connection that is alive as far as can be seen without sending anything.
    pub(super) fn take(&self, cx: &mut Context<'_>) -> Option<Live> {
        loop {
            let mut parked = self.stack.lock().pop()?;
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
        let mut stack = self.stack.lock();
        if stack.len() < MAX_IDLE {
            stack.push(parked);
        }
    }

    /// Closes what is too old or was closed by the peer.
    pub(super) fn sweep(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut stack = std::mem::take(&mut *self.stack.lock());
        stack.retain_mut(|parked| parked.since.elapsed() < IDLE && parked.live.is_idle(&mut cx));
        let mut current = self.stack.lock();
        // What was parked meanwhile is younger: it stays on top.
        stack.append(&mut current);
        *current = stack;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stack.lock().is_empty()
    }
}

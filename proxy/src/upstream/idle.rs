//! Idle connections of one address: a stack, because the one that was used last is the least likely to be closed.
//!
//! Each serving thread has a stack of its own: a connection belongs to the reactor of the thread that opened it, and using it from another
//! would wake that thread for every event.

use std::cell::Cell;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::exchange::Live;

/// How long a connection may idle: below the provider's own limit, so that we close first. A request that meets a provider's close on
/// its way may have run, for all that we know, and is not repeated.
const IDLE: Duration = Duration::from_secs(30);
/// The same without TLS: servers that are reached so are often uvicorn's, which closes after five seconds, and a new connection is cheap.
const IDLE_PLAIN: Duration = Duration::from_secs(4);
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
pub(super) struct Origin {
    idle: Duration,
    stacks: [Mutex<Vec<Parked>>; STACKS],
}

struct Parked {
    live: Live,
    since: Instant,
}

impl Origin {
    pub(super) fn new(https: bool) -> Self {
        Self {
            idle: if https { IDLE } else { IDLE_PLAIN },
            stacks: Default::default(),
        }
    }

    /// A connection that is alive as far as can be seen without sending anything.
    pub(super) fn take(&self, cx: &mut Context<'_>) -> Option<Live> {
        loop {
            let mut parked = self.stack().lock().pop()?;
            if parked.since.elapsed() < self.idle && parked.live.is_idle(cx) {
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
                age < SWEEP || (age < self.idle && parked.live.is_idle(&mut cx))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::upstream::stream::Stream;

    /// A connection to a server that keeps it open.
    async fn live(origin: &Arc<Origin>) -> (Live, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let live = Live::begin(Stream::Plain(stream), origin.clone()).await.unwrap();
        (live, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn an_idle_connection_is_used_within_its_limit() {
        let mut cx = Context::from_waker(Waker::noop());
        for (https, seconds, used) in [
            (true, 29, true),
            (true, 30, false),
            (false, 3, true),
            (false, 4, false),
        ] {
            let origin = Arc::new(Origin::new(https));
            let (live, _server) = live(&origin).await;
            let since = Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
            origin.stack().lock().push(Parked { live, since });
            assert_eq!(origin.take(&mut cx).is_some(), used, "{https} {seconds}");
        }
    }

    #[tokio::test]
    async fn an_old_connection_takes_no_further_request() {
        let mut cx = Context::from_waker(Waker::noop());
        let origin = Arc::new(Origin::new(true));
        for (left, kept) in [(60, true), (0, false)] {
            let (mut live, _server) = live(&origin).await;
            live.retires = Instant::now() + Duration::from_secs(left);
            live.recycle(&mut cx);
            assert_eq!(origin.take(&mut cx).is_some(), kept);
        }
    }
}

//! The threads that serve connections: one per core, each with a scheduler of its own.
//!
//! A connection stays on its thread, and so do the provider connections that its requests use: a request is never handed from
//! core to core, which costs more than everything else that Keypool does with it. New connections are dealt out in turn, because the
//! kernel's own choice among several listeners leaves some threads with twice the connections of others.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::upstream;

/// The serving threads. They end when this is dropped, with everything on them.
pub(super) struct Workers {
    threads: Vec<Handle>,
    next: AtomicUsize,
    _end: DropGuard,
}

impl Workers {
    /// Starts one thread per core that the process may use.
    pub(super) fn start() -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let end = CancellationToken::new();
        let mut threads = Vec::with_capacity(count);
        for number in 1..=count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            threads.push(runtime.handle().clone());
            let end = end.clone();
            std::thread::Builder::new()
                .name(format!("serve-{number}"))
                .spawn(move || {
                    upstream::settle_on(number);
                    runtime.block_on(end.cancelled());
                })?;
        }
        Ok(Self {
            threads,
            next: AtomicUsize::new(0),
            _end: end.drop_guard(),
        })
    }

    /// The thread whose turn it is.
    pub(super) fn next(&self) -> Option<&Handle> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.threads.get(turn % self.threads.len().max(1))
    }
}

//! What the person at the keyboard, or another program, asks for.

use std::io::{self, BufRead, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Signals and typed lines.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    show: Signal,
    typed: mpsc::UnboundedReceiver<String>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    /// The end.
    End,
    /// The status of all resources.
    Status,
    /// A line was typed: its echo moved the cursor. True for the one that asks for the status.
    Typed {
        /// Whether it asks for the status.
        status: bool,
    },
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            show: signal(SignalKind::user_defined1())?,
            typed: typed()?,
        })
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
            _ = self.hang_up.recv() => Asked::End,
            _ = self.show.recv() => Asked::Status,
            Some(line) = self.typed.recv() => Asked::Typed { status: matches!(line.trim(), "s" | "S") },
        }
    }
}

/// Lines that a person types. A thread waits for them: it ends with the process, which a task of the runtime would hold up.
fn typed() -> io::Result<mpsc::UnboundedReceiver<String>> {
    let (lines, typed) = mpsc::unbounded_channel();
    if foreground() {
        std::thread::Builder::new().name("typed".into()).spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        })?;
    }
    Ok(typed)
}

/// A program in the background that reads from its terminal is stopped.
fn foreground() -> bool {
    let stdin = io::stdin();
    let group = rustix::termios::tcgetpgrp(&stdin).ok();
    stdin.is_terminal() && group == Some(rustix::process::getpgrp())
}

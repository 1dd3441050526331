//! One line per request, written by a thread of its own.
//!
//! A request appends its line to a buffer and goes on. The thread lets lines gather for [`PAUSE`], or until there are
//! [`ENOUGH`], swaps buffers and writes them together; a request wakes it only when it is idle or there is enough, because
//! a wake costs more than a line. When the sink is slow the buffer fills, and lines are dropped and counted: logging never
//! delays a request.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::Metrics;

/// The most that waits to be written.
const CAPACITY: usize = 4 * 1024 * 1024;
/// As much as is written without waiting for more.
const ENOUGH: usize = 256 * 1024;
/// How long lines gather before they are written together.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the access log goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sink {
    /// The process's standard output.
    Stdout,
    /// Appended to a file.
    File(PathBuf),
    /// Nowhere.
    None,
}

/// Why there is no access log.
#[derive(Debug, thiserror::Error)]
pub enum AccessLogError {
    /// The file cannot be opened.
    #[error("cannot open the access log {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No thread for it.
    #[error("cannot start the access log's thread")]
    Thread(#[source] io::Error),
}

/// The log.
pub struct AccessLog {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// The writer sleeps until it is woken: there was nothing to write.
    idle: bool,
    closed: bool,
}

impl AccessLog {
    /// Opens the sink and starts the writer; `None` for [`Sink::None`].
    ///
    /// # Errors
    /// When the file cannot be opened or no thread started.
    pub fn open(sink: &Sink, metrics: Arc<Metrics>) -> Result<Option<Arc<Self>>, AccessLogError> {
        let out: Box<dyn Write + Send> = match sink {
            Sink::None => return Ok(None),
            Sink::Stdout => Box::new(io::stdout()),
            Sink::File(path) => Box::new(open(path).map_err(|source| AccessLogError::Open {
                path: path.clone(),
                source,
            })?),
        };
        Self::to(out, metrics).map(Some)
    }

    /// Starts a log into any writer.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn to(mut out: Box<dyn Write + Send>, metrics: Arc<Metrics>) -> Result<Arc<Self>, AccessLogError> {
        let shared = Arc::new(Shared::default());
        let writer = std::thread::Builder::new()
            .name("access-log".into())
            .spawn({
                let shared = shared.clone();
                move || shared.write_out(&mut out)
            })
            .map_err(AccessLogError::Thread)?;
        Ok(Arc::new(Self {
            shared,
            metrics,
            writer: Mutex::new(Some(writer)),
        }))
    }

    /// Appends one line; `line` writes it without its newline.
    pub(super) fn write(&self, line: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = self.shared.waiting.lock();
        if waiting.closed || waiting.lines.len() >= CAPACITY {
            drop(waiting);
            self.metrics.access_log_dropped.inc();
            return;
        }
        let before = waiting.lines.len();
        line(&mut waiting.lines);
        waiting.lines.push(b'\n');
        let enough = before < ENOUGH && waiting.lines.len() >= ENOUGH;
        let wake = std::mem::take(&mut waiting.idle) || enough;
        drop(waiting);
        if wake {
            self.shared.changed.notify_one();
        }
    }

    /// Writes what waits and ends the log. Later lines are dropped.
    pub fn close(&self) {
        self.shared.waiting.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(writer) = self.writer.lock().take() {
            // The thread's only result is a panic, which its own message has told.
            let _ = writer.join();
        }
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Shared {
    fn write_out(&self, out: &mut dyn Write) {
        let mut lines = Vec::new();
        while self.gather(&mut lines) {
            // A sink that fails must not end the service; what it lost is gone.
            if let Err(error) = out.write_all(&lines).and_then(|()| out.flush()) {
                tracing::warn!(%error, "access log lines are lost");
            }
            lines.clear();
            // What a burst took is given back.
            lines.shrink_to(2 * ENOUGH);
        }
    }

    /// Waits for lines and takes them; false when the log is closed and nothing is left.
    fn gather(&self, lines: &mut Vec<u8>) -> bool {
        let mut waiting = self.waiting.lock();
        while waiting.lines.is_empty() && !waiting.closed {
            waiting.idle = true;
            self.changed.wait(&mut waiting);
        }
        waiting.idle = false;
        let until = Instant::now() + PAUSE;
        while waiting.lines.len() < ENOUGH && !waiting.closed {
            if self.changed.wait_until(&mut waiting, until).timed_out() {
                break;
            }
        }
        std::mem::swap(&mut waiting.lines, lines);
        !lines.is_empty()
    }
}

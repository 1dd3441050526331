//! The open end of a log line: it follows an exchange and closes the line, at the latest when it is dropped.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Entry, Outcome, Recorder};

/// Follows one exchange.
#[derive(Debug)]
pub(crate) struct Trace {
    seq: u64,
    open: Option<Box<Open>>,
}

#[derive(Debug)]
struct Open {
    recorder: Arc<Recorder>,
    hash: Sha256,
    bytes: u64,
    parts: u64,
}

impl Trace {
    pub(super) fn silent(seq: u64) -> Self {
        Self { seq, open: None }
    }

    pub(super) fn recording(recorder: Arc<Recorder>, seq: u64) -> Self {
        Self {
            seq,
            open: Some(Box::new(Open {
                recorder,
                hash: Sha256::new(),
                bytes: 0,
                parts: 0,
            })),
        }
    }

    /// The request's number.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Adds to the line, when there is one.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(open) = &self.open {
            open.recorder.update(self.seq, change);
        }
    }

    /// A part of the body was handed to the connection.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        if let Some(open) = &mut self.open {
            open.hash.update(bytes);
            open.bytes += bytes.len() as u64;
            open.parts += 1;
        }
    }

    /// Closes the line.
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        let Some(open) = self.open.take() else { return };
        let ended = open.recorder.now_ms();
        let hash = crate::digest::hex(&open.hash.finalize());
        open.recorder.update(self.seq, |entry| {
            entry.outcome = outcome;
            entry.ended_ms = Some(ended);
            entry.bytes_sent = open.bytes;
            entry.parts_sent = open.parts;
            entry.response_sha256 = hash;
        });
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.finish(Outcome::ClientGone);
    }
}

//! What a provider would have seen and charged: a line per request and counters per key.
//!
//! The log holds bodies and headers, keys among them; it is the provider's own data and the one place where a key may stand.
//! It keeps the newest lines up to a cap and says how many it dropped.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod trace;

pub(crate) use trace::Trace;

/// How an exchange ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Still running.
    #[default]
    Open,
    /// The whole answer was handed to the connection.
    Complete,
    /// The script broke it off.
    Cut,
    /// The client went away first.
    ClientGone,
    /// The control API closed the connection.
    Closed,
}

/// One request as it arrived and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entry {
    /// Number of the request, from 1, never used again.
    pub seq: u64,
    /// The answer's `x-request-id`.
    pub request_id: String,
    /// Number of the connection.
    pub connection: u64,
    /// Whether it came by TLS.
    pub tls: bool,
    /// Arrival, milliseconds since the provider started (monotonic).
    pub at_ms: f64,
    /// Arrival, milliseconds since 1970.
    pub wall_ms: u64,
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Name of the key; `?` for one that is not in the table, `-` for none.
    pub key: String,
    /// SHA-256 of the key's value.
    pub key_sha256: String,
    /// Model in the body.
    pub model: Option<String>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Headers in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// Length of the body.
    pub body_len: u64,
    /// SHA-256 of the body.
    pub body_sha256: String,
    /// The body, when it is text and not large.
    pub body: Option<String>,
    /// The rule that shaped the answer.
    pub rule: Option<String>,
    /// Status sent.
    pub status: Option<u16>,
    /// Tokens charged for the prompt.
    pub prompt_tokens: u64,
    /// Tokens charged for the answer.
    pub completion_tokens: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended (as `at_ms`). For a client that went away: when that was noticed.
    pub ended_ms: Option<f64>,
    /// Body bytes handed to the connection.
    pub bytes_sent: u64,
    /// Body parts handed to the connection: of a stream, events.
    pub parts_sent: u64,
    /// SHA-256 of those bytes.
    pub response_sha256: String,
}

impl Entry {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether it asked for inference, not for the model list.
    pub fn is_inference(&self) -> bool {
        self.method == "POST"
    }
}

/// Counters of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyCount {
    /// Requests for inference.
    pub requests: u64,
    /// Requests for models.
    pub probes: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Tokens charged.
    pub tokens: u64,
}

/// Counters of the whole provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// By name of key.
    pub keys: BTreeMap<String, KeyCount>,
    /// Connections accepted.
    pub connections: u64,
    /// Of these, open now.
    pub open_connections: u64,
    /// TLS handshakes that failed.
    pub failed_handshakes: u64,
    /// Log lines dropped because of the cap.
    pub dropped_log_lines: u64,
}

/// Log and counters of one provider.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    on: AtomicBool,
    cap: usize,
    next: AtomicU64,
    entries: Mutex<VecDeque<Entry>>,
    keys: Mutex<HashMap<String, KeyCount>>,
    dropped: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) open_connections: AtomicU64,
    pub(crate) failed_handshakes: AtomicU64,
}

/// Bodies up to this size are kept as text.
const KEPT_BODY: usize = 64 * 1024;

impl Recorder {
    pub(crate) fn new(on: bool, cap: usize) -> Self {
        Self {
            start: Instant::now(),
            on: AtomicBool::new(on),
            cap,
            next: AtomicU64::new(1),
            entries: Mutex::default(),
            keys: Mutex::default(),
            dropped: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            open_connections: AtomicU64::new(0),
            failed_handshakes: AtomicU64::new(0),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn now_ms(&self) -> f64 {
        self.now().as_secs_f64() * 1000.0
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(crate) fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// Numbers a request; when recording, `line` makes its entry.
    pub(crate) fn begin(self: &Arc<Self>, line: impl FnOnce() -> Entry) -> Trace {
        if !self.is_on() {
            return Trace::silent(self.next.fetch_add(1, Ordering::Relaxed));
        }
        let mut entry = line();
        entry.at_ms = self.now_ms();
        entry.wall_ms = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |t| t.as_millis() as u64);
        let mut entries = self.entries.lock();
        entry.seq = self.next.fetch_add(1, Ordering::Relaxed);
        let seq = entry.seq;
        if entries.len() >= self.cap.max(1) {
            entries.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        entries.push_back(entry);
        Trace::recording(self.clone(), seq)
    }

    fn update(&self, seq: u64, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.lock();
        if let Ok(index) = entries.binary_search_by_key(&seq, |entry| entry.seq) {
            change(&mut entries[index]);
        }
    }

    pub(crate) fn count(&self, key: &str, change: impl FnOnce(&mut KeyCount)) {
        let mut keys = self.keys.lock();
        match keys.get_mut(key) {
            Some(count) => change(count),
            None => change(keys.entry(key.to_owned()).or_default()),
        }
    }

    pub(crate) fn log(&self, since: u64) -> Vec<Entry> {
        let entries = self.entries.lock();
        let from = entries.partition_point(|entry| entry.seq <= since);
        entries.iter().skip(from).cloned().collect()
    }

    /// Forgets lines and counters; connections stay counted.
    pub(crate) fn clear(&self) {
        self.entries.lock().clear();
        self.keys.lock().clear();
        self.dropped.store(0, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            keys: self
                .keys
                .lock()
                .iter()
                .map(|(name, count)| (name.clone(), count.clone()))
                .collect(),
            connections: self.connections.load(Ordering::Relaxed),
            open_connections: self.open_connections.load(Ordering::Relaxed),
            failed_handshakes: self.failed_handshakes.load(Ordering::Relaxed),
            dropped_log_lines: self.dropped.load(Ordering::Relaxed),
        }
    }
}

/// What the log says of a body.
pub(crate) fn describe_body(entry: &mut Entry, body: &[u8]) {
    entry.body_len = body.len() as u64;
    entry.body_sha256 = crate::digest::hex(&Sha256::digest(body));
    if body.len() <= KEPT_BODY {
        entry.body = std::str::from_utf8(body).ok().map(str::to_owned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_stay_and_the_drop_is_told() {
        let recorder = Arc::new(Recorder::new(true, 2));
        for _ in 0..3 {
            recorder.begin(Entry::default).finish(Outcome::Complete);
        }
        let seqs: Vec<u64> = recorder.log(0).iter().map(|entry| entry.seq).collect();
        assert_eq!((seqs, recorder.counts().dropped_log_lines), (vec![2, 3], 1));
        assert_eq!(recorder.log(2).len(), 1);
    }

    #[test]
    fn a_trace_that_is_dropped_tells_that_the_client_went_away() {
        let recorder = Arc::new(Recorder::new(true, 9));
        let mut trace = recorder.begin(Entry::default);
        trace.sent(b"abc");
        drop(trace);
        let entry = &recorder.log(0)[0];
        assert_eq!(
            (entry.outcome, entry.bytes_sent, entry.parts_sent),
            (Outcome::ClientGone, 3, 1)
        );
        assert_eq!(entry.response_sha256, crate::digest::sha256_hex(b"abc"));
        assert!(entry.ended_ms.is_some());
    }

    #[test]
    fn switched_off_it_numbers_and_keeps_nothing() {
        let recorder = Arc::new(Recorder::new(false, 9));
        assert_eq!(recorder.begin(|| panic!("made a line")).seq(), 1);
        assert!(recorder.log(0).is_empty());
    }
}

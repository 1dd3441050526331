//! What is told about a request.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use http::StatusCode;
use keypool_dialect::operation::Operation;
use keypool_dialect::usage::Usage;
use parking_lot::Mutex;
use prometheus_client::encoding::text;
use serde_json::{Value, json};

use super::{AccessLog, End, Metrics, Record, Telemetry};
use crate::pool::Pool;
use crate::runtime::fixtures::{compile_with, document, group, member, provider};
use crate::runtime::{MemberSet, Snapshot};

/// A sink that tests can read, and that can be held back.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Desk {
    telemetry: Telemetry,
    snapshot: Arc<Snapshot>,
    pool: Arc<Pool>,
    out: Shared,
}

impl Desk {
    fn new(groups: &[&str], keys: &[&str]) -> Self {
        let metrics = Metrics::new();
        let out = Shared::default();
        let access_log = Some(AccessLog::to(Box::new(out.clone()), metrics.clone()).unwrap());
        let snapshot = compiled(groups, keys, &metrics);
        let pool = Pool::new("pod".into(), 1);
        pool.update(&snapshot).unwrap();
        Self {
            telemetry: Telemetry { metrics, access_log },
            snapshot,
            pool,
            out,
        }
    }

    /// A record of a request that one target served.
    fn served(&self) -> Record {
        let mut record = self.telemetry.begin(Instant::now());
        let group = &self.snapshot.groups()[0];
        record.admitted(group, Some("generated".into()));
        record.operation(Operation::ChatCompletions);
        record.asked(Some("gpt"), true);
        let mut journey = self.pool.begin(
            self.snapshot.clone(),
            group.clone(),
            MemberSet::ALL,
            true,
            Instant::now(),
        );
        let target = journey.pick().unwrap();
        record.attempt(&target, "rate", Duration::from_micros(1_500));
        record.attempt(&target, "success", Duration::from_millis(20));
        record.served_by(&target);
        record.answered(StatusCode::OK, None);
        record.first_event();
        record.bytes_in(70);
        record.bytes_out(900);
        record.usage(Usage {
            input: 18,
            output: 48,
            cached: 0,
        });
        record
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.telemetry.metrics.registry.read()).unwrap();
        text
    }

    /// The log's lines; ends the log.
    fn lines(&self) -> Vec<Value> {
        self.telemetry.access_log.as_ref().unwrap().close();
        let text = String::from_utf8(self.out.0.lock().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn compiled(groups: &[&str], keys: &[&str], metrics: &Arc<Metrics>) -> Arc<Snapshot> {
    let groups = groups
        .iter()
        .map(|name| group(name, vec![member("m", "p", "model")], &[]))
        .collect();
    compile_with(
        &document(1, vec![provider("p", "http://h/v1", keys)], groups),
        metrics,
    )
}

#[test]
fn a_line_has_exactly_the_fields_that_people_are_promised() {
    let desk = Desk::new(&["chat"], &["sk-canary"]);
    desk.served().end(End::Complete);
    drop(desk.served());
    let lines = desk.lines();
    let mut line = lines[0].clone();
    for field in ["time", "request_id", "duration_ms", "ttfe_ms"] {
        assert!(!line[field].is_null(), "{field}");
        line.as_object_mut().unwrap().remove(field);
    }
    // The fixture names a credential after its value; what is logged is the name.
    assert_eq!(
        line,
        json!({
            "group": "chat", "operation": "chat_completions", "model": "gpt", "client": "generated", "member": "m",
            "credential": "sk-canary", "status": 200, "code": null,
            "attempts": [
                {"member": "m", "credential": "sk-canary", "outcome": "rate", "ms": 1.5},
                {"member": "m", "credential": "sk-canary", "outcome": "success", "ms": 20.0}
            ],
            "bytes_in": 70, "bytes_out": 900, "input_tokens": 18, "output_tokens": 48, "stream": true, "end": "complete"
        })
    );
    let time = lines[0]["time"].as_str().unwrap();
    assert!(
        time.ends_with('Z') && time.len() == "2026-11-20T10:41:07.123Z".len(),
        "{time}"
    );
    assert_eq!(lines[1]["end"], "cancelled", "a record that is dropped");
    assert_ne!(lines[0]["request_id"], lines[1]["request_id"]);
}

#[test]
fn a_request_that_never_got_in_is_told_too() {
    let desk = Desk::new(&["chat"], &["k"]);
    let mut record = desk.telemetry.begin(Instant::now());
    record.asked(Some(&"\u{e9}\n\"".repeat(100)), false);
    record.answered(StatusCode::UNAUTHORIZED, Some("invalid_client_key"));
    record.end(End::Complete);
    let line = &desk.lines()[0];
    assert_eq!(
        (&line["group"], &line["code"]),
        (&Value::Null, &json!("invalid_client_key"))
    );
    assert_eq!(line["attempts"], json!([]));
    assert_eq!(
        line["model"].as_str().unwrap().chars().count(),
        128,
        "a client's text is bounded"
    );
    assert!(
        desk.metrics()
            .contains("keypool_requests_total{group=\"\",operation=\"other\",status=\"401\"} 1")
    );
}

#[test]
fn everything_is_counted_once() {
    let desk = Desk::new(&["chat"], &["k"]);
    let (first, second) = (desk.served(), desk.served());
    assert!(
        desk.metrics()
            .contains("keypool_inflight_requests{group=\"chat\"} 2")
    );
    first.end(End::Complete);
    drop(second);
    let metrics = desk.metrics();
    for line in [
        "keypool_inflight_requests{group=\"chat\"} 0",
        "keypool_requests_total{group=\"chat\",operation=\"chat_completions\",status=\"200\"} 2",
        "keypool_attempts_total{group=\"chat\",member=\"m\",credential=\"k\",outcome=\"rate\"} 2",
        "keypool_attempts_total{group=\"chat\",member=\"m\",credential=\"k\",outcome=\"success\"} 2",
        "keypool_tokens_total{group=\"chat\",member=\"m\",direction=\"input\"} 36",
        "keypool_tokens_total{group=\"chat\",member=\"m\",direction=\"output\"} 96",
        "keypool_request_duration_seconds_count{group=\"chat\",member=\"m\",operation=\"chat_completions\"} 2",
        "keypool_time_to_first_event_seconds_count{group=\"chat\",member=\"m\",operation=\"chat_completions\"} 2",
    ] {
        assert!(
            metrics.contains(&format!("{line}\n")),
            "{line} is not in\n{metrics}"
        );
    }
    assert!(
        !metrics.contains("direction=\"cached\""),
        "a series begins with its first event"
    );
}

#[test]
fn an_outcome_outside_the_closed_set_is_other() {
    let desk = Desk::new(&["chat"], &["k"]);
    let mut record = desk.served();
    let group = &desk.snapshot.groups()[0];
    let mut journey = desk.pool.begin(
        desk.snapshot.clone(),
        group.clone(),
        MemberSet::ALL,
        false,
        Instant::now(),
    );
    record.attempt(&journey.pick().unwrap(), "what a provider says", Duration::ZERO);
    drop(record);
    assert!(desk.metrics().contains("outcome=\"other\"} 1"));
    assert!(!desk.metrics().contains("what a provider says"));
}

#[test]
fn a_reload_ends_the_series_of_what_is_gone_and_keeps_the_others() {
    let desk = Desk::new(&["chat"], &["k1", "k2"]);
    for _ in 0..2 {
        desk.served().end(End::Complete);
    }
    let metrics = &desk.telemetry.metrics;
    let fewer = compiled(&["chat"], &["k2"], metrics);
    metrics.retire(&desk.snapshot, &fewer);
    let text = desk.metrics();
    assert!(
        !text.contains("credential=\"k1\"") && text.contains("credential=\"k2\""),
        "{text}"
    );
    assert!(
        text.contains(
            "keypool_requests_total{group=\"chat\",operation=\"chat_completions\",status=\"200\"} 2"
        )
    );
    // Counting goes on where it stopped.
    fewer.groups()[0].meters.count_request(metrics, "chat", 0, 200);
    assert!(
        desk.metrics()
            .contains("operation=\"chat_completions\",status=\"200\"} 3")
    );
    // What was counted before another reload ends with its group too.
    let untouched = compiled(&["chat"], &["k2"], metrics);
    metrics.retire(&fewer, &untouched);
    let none = compiled(&["another"], &["k2"], metrics);
    metrics.retire(&untouched, &none);
    assert!(!desk.metrics().contains("group=\"chat\""), "{}", desk.metrics());
}

/// A sink that stands still until it is told to go on.
struct Stuck(mpsc::Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Ends when the sender is dropped.
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_slow_sink_costs_lines_and_never_a_request() {
    let metrics = Metrics::new();
    let (go_on, stuck) = mpsc::channel();
    let log = AccessLog::to(Box::new(Stuck(stuck)), metrics.clone()).unwrap();
    let line = vec![b'x'; 1024 * 1024];
    for _ in 0..12 {
        log.write(|buffer| buffer.extend_from_slice(&line));
    }
    // At most two buffers are held: the one that is being written, and the one that fills.
    assert!(
        (2..=8).contains(&metrics.access_log_dropped.get()),
        "{}",
        metrics.access_log_dropped.get()
    );
    drop(go_on);
    log.close();
    let before = metrics.access_log_dropped.get();
    log.write(|buffer| buffer.push(b'x'));
    assert_eq!(metrics.access_log_dropped.get(), before + 1, "after the end");
}

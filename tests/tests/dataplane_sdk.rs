//! The stock OpenAI SDK, and the proxy as a process that logs all it can.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dataplane {
    pub(crate) mod rig;
    pub(crate) mod wire;
}

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use dataplane::rig::{CLIENT_KEY, PROMPT, Setup, asked, chat, key_value, post, provider};
use dataplane::wire::{Client, Seen};
use keypool_fake_provider::{Answer, CutHow, CutPoint, ErrorKind, FakeProvider, KeyState, Latency, Rule};
use keypool_tests::canary::Scan;
use keypool_tests::{python, tools, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::json;

/// What the SDK gave for one call.
#[derive(Debug, Deserialize)]
struct Line {
    ok: bool,
    error: Option<String>,
    text: Option<String>,
    attempts: usize,
    sha256: String,
    status: Option<u16>,
}

async fn sdk(base: String, key: &str, asked: serde_json::Value) -> Vec<Line> {
    let script = tools::repository().join("tests/sdk/chat.py");
    let environment = [("OPENAI_BASE_URL", &*base), ("OPENAI_API_KEY", key)];
    let output = python::run(&script, &[&asked.to_string()], &environment)
        .await
        .unwrap();
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn through(at: SocketAddr) -> String {
    format!("http://{at}/v1")
}

#[tokio::test]
async fn the_sdk_sees_no_difference_to_its_provider() {
    let fake = provider(&["a0"]);
    let rig = Setup::new().member("a", &fake, &["a0"]).start().await;
    let calls =
        |model: &str| json!({"model": model, "count": 16, "atOnce": 4, "maxRetries": 0, "streamed": "half"});
    let key = key_value("a0");
    let direct = sdk(format!("{}/v1", fake.http_url()), &key, calls("model-a"));
    let pooled = sdk(through(rig.clients), CLIENT_KEY, calls("gpt"));
    let (direct, pooled) = futures::future::join(direct, pooled).await;
    assert_eq!((direct.len(), pooled.len()), (16, 16));
    for (direct, pooled) in direct.iter().zip(&pooled) {
        assert!(direct.ok && pooled.ok, "{direct:?} {pooled:?}");
        assert_eq!(direct.text, pooled.text);
        assert_eq!(
            direct.sha256, pooled.sha256,
            "the provider answers the same to the same bytes"
        );
        assert_eq!((direct.attempts, pooled.attempts), (1, 1));
    }
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn the_sdk_raises_for_every_stream_that_was_cut() {
    let fake = provider(&["a0"]);
    let points = [
        (CutPoint::AfterEvents(3), CutHow::Clean),
        (CutPoint::AfterEvents(7), CutHow::Close),
        (CutPoint::AfterEvents(30), CutHow::Reset),
        (CutPoint::Bytes(3_001), CutHow::Clean),
        (CutPoint::Bytes(4_444), CutHow::Close),
        (CutPoint::Bytes(5_555), CutHow::Reset),
    ];
    // Good ones between them, so that no breaker opens.
    for (index, (at, how)) in points.into_iter().enumerate() {
        fake.add_rule(Rule {
            skip: index as u64 * 2 + 2,
            times: Some(1),
            ..Rule::new(Answer::cut(at, how))
        });
    }
    let rig = Setup::new().member("a", &fake, &["a0"]).start().await;
    let calls = json!({"model": "gpt", "count": 24, "atOnce": 1, "streamed": "all"});
    let lines = sdk(through(rig.clients), CLIENT_KEY, calls).await;
    let raised: Vec<&Line> = lines.iter().filter(|line| !line.ok).collect();
    assert_eq!(raised.len(), points.len(), "{lines:#?}");
    for (line, point) in raised.into_iter().zip(points) {
        let error = line.error.as_ref().unwrap();
        assert_eq!(line.attempts, 1, "nothing is repeated after the first byte");
        // Half an event would be half of a JSON text, over which the SDK stumbles before it comes to the error event.
        assert!(error.starts_with("APIError: "), "{point:?}: {error}");
    }
    assert_eq!(asked(&fake).len(), 24);
    rig.finish(&[&fake]).await;
}

/// As the SDK comes: it makes three attempts for each call.
fn forty_calls() -> serde_json::Value {
    json!({"model": "gpt", "count": 40, "atOnce": 40, "streamed": "half"})
}

#[tokio::test]
async fn the_sdks_own_retries_do_not_multiply_a_failure() {
    for (kind, most) in [
        (ErrorKind::ServerError, 48),
        // A key that is refused is tried once by each request that was under way.
        (ErrorKind::InsufficientQuota, 80),
    ] {
        let fake = provider(&["a0", "a1"]);
        // All calls are under way before the first fails.
        fake.add_rule(Rule::new(Answer::error(kind).delayed(Latency::millis(1_500))));
        let rig = Setup::new().member("a", &fake, &["a0", "a1"]).start().await;
        for line in sdk(through(rig.clients), CLIENT_KEY, forty_calls()).await {
            assert!(!line.ok && line.attempts == 1, "{kind:?}: {line:?}");
        }
        assert!(asked(&fake).len() <= most, "{kind:?}: {}", asked(&fake).len());
        rig.finish(&[&fake]).await;
    }
}

#[tokio::test]
async fn the_sdk_does_not_hammer_a_pool_of_dead_keys() {
    let fake = provider(&["a0", "a1"]);
    let rig = Setup::new()
        .member("a", &fake, &["a0", "a1"])
        .each_provider(|provider| provider.probe.enabled = true)
        .start()
        .await;
    for key in ["a0", "a1"] {
        fake.set_key_state(key, KeyState::Revoked).unwrap();
    }
    assert_eq!(rig.chat().await.status, 503);
    for key in ["a0", "a1"] {
        rig.until_state("a", key, "Invalid", Duration::from_secs(5)).await;
    }
    let before = asked(&fake).len();
    for line in sdk(through(rig.clients), CLIENT_KEY, forty_calls()).await {
        assert!(
            !line.ok && line.attempts == 1 && line.status == Some(503),
            "{line:?}"
        );
    }
    assert_eq!(asked(&fake).len(), before);
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn the_process_logs_neither_keys_nor_prompts_at_the_most_talkative_level() {
    let keys = ["p0", "p1", "p2", "p3"];
    let fake = provider(&keys);
    fake.set_key_state("p0", KeyState::Revoked).unwrap();
    fake.add_rule(Rule::new(Answer::error(ErrorKind::RateLimitExceeded)).key("p1"));
    fake.add_rule(
        Rule::new(Answer {
            echo: true,
            ..Answer::error(ErrorKind::BadRequest)
        })
        .key("p2")
        .times(2),
    );
    fake.add_rule(
        Rule::new(Answer::cut(CutPoint::AfterEvents(5), CutHow::Reset))
            .key("p3")
            .times(1),
    );
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup::new()
        .member("a", &fake, &keys)
        .each_provider(|provider| provider.probe.enabled = true);
    std::fs::write(directory.path().join("config.json"), setup.encoded(1).bytes()).unwrap();
    let (log, access) = (directory.path().join("log"), directory.path().join("access"));
    let mut child = Command::new(tools::binary("keypool-proxy").unwrap())
        .args([
            "--listen",
            "127.0.0.1:0",
            "--health",
            "127.0.0.1:0",
            "--exchange",
            "none",
            "--log",
            "trace",
        ])
        .arg("--config")
        .arg(directory.path())
        .stdout(std::fs::File::create(&access).unwrap())
        .stderr(std::fs::File::create(&log).unwrap())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let serving = wait::until("the proxy to serve", Duration::from_secs(20), async || {
        let text = std::fs::read_to_string(&log).unwrap();
        let mut lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.find(|line| line["message"] == "serving").ok_or(text)
    })
    .await
    .unwrap();
    let at = |field: &str| serving[field].as_str().unwrap().parse::<SocketAddr>().unwrap();
    let seen = Seen::default();
    let mut statuses = Vec::new();
    for number in 0..24 {
        let mut client = Client::connect(at("clients"), seen.clone()).await;
        client.send(post(&chat("gpt", number % 2 == 0))).await;
        statuses.push(client.reply().await.status);
    }
    assert!(
        statuses.contains(&400) && statuses.iter().filter(|status| **status == 200).count() > 15,
        "{statuses:?}"
    );
    for request in [
        "GET /v1/models HTTP/1.1\r\nhost: a\r\nauthorization: Bearer wrong-client-key-0123456789\r\n\r\n"
            .to_owned(),
        format!("POST /v1/chat HTTP/1.1\r\nhost: a\r\nhost: b\r\nauthorization: Bearer {CLIENT_KEY}\r\n\r\n"),
        post("{\"model\":\"gpt\",\"messages\":[{\"content\":\"a-prompt-that-nobody-may-log\""),
    ] {
        let mut client = Client::connect(at("clients"), seen.clone()).await;
        client.send(request).await;
        client.reply().await;
    }
    let mut client = Client::connect(at("health"), seen.clone()).await;
    client
        .send("GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    client.reply().await;
    let environment = std::fs::read(format!("/proc/{}/environ", child.id())).unwrap();
    let arguments = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    wait::until("the proxy to end", Duration::from_secs(20), || {
        std::future::ready(child.try_wait().unwrap().ok_or("still there"))
    })
    .await
    .map(|status| assert!(status.success(), "{status}"))
    .unwrap();
    let (log, access) = (
        std::fs::read_to_string(log).unwrap(),
        std::fs::read_to_string(access).unwrap(),
    );
    assert!(
        log.contains("\"DEBUG\""),
        "{}",
        log.lines().next().unwrap_or_default()
    );
    assert!(access.lines().count() >= 27, "{}", access.lines().count());
    for text in [&log, &access] {
        assert!(!text.contains(PROMPT));
        assert!(!text.contains("wrong-client-key"));
    }
    let values = keys.map(key_value);
    let named = keys.iter().zip(&values).map(|(name, value)| (*name, &**value));
    let mut scan = Scan::new(named.chain([("the client's key", CLIENT_KEY)]));
    scan.look("the log", log);
    scan.look("the access log", access);
    scan.look("environment", environment);
    scan.look("arguments", arguments);
    scan.look("what clients got", seen.bytes());
    scan.finish().unwrap_or_else(|found| panic!("{found}"));
    assert_client_key_stays_here(&fake);
}

fn assert_client_key_stays_here(fake: &FakeProvider) {
    for entry in fake.log(0) {
        assert!(!serde_json::to_string(&entry).unwrap().contains(CLIENT_KEY));
    }
}

//! The process as Kubernetes runs it: a mounted directory, the leader over TLS, a provider over TLS with a private CA, SIGTERM.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use keypool_contract::exchange::{ExchangeRequest, ExchangeResponse, FirstValidation};
use keypool_contract::verdict::Finding;
use keypool_fake_provider::{Answer, ErrorKind, FakeProvider, Key, KeyState, Latency, Options, Rule, Stream};
use process::pod::Pod;
use process::{leader, volume};

mod process {
    pub(crate) mod http;
    pub(crate) mod leader;
    pub(crate) mod pod;
    pub(crate) mod volume;
}

const CHAT: &str =
    r#"{"model":"chat","messages":[{"role":"user","content":"a prompt that is nobody's business"}]}"#;
const STREAM: &str = r#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"a prompt that is nobody's business"}]}"#;

fn fake() -> FakeProvider {
    let keys = [
        Key::new("a", "sk-canary-a-000000"),
        Key::new("b", "sk-canary-b-000000"),
    ];
    FakeProvider::start(Options::with_keys(keys).tls(&["provider.example"])).unwrap()
}

fn ask(known: Option<&ExchangeResponse>, wait_ms: u64) -> ExchangeRequest {
    ExchangeRequest {
        term: 1,
        reader: "leader".into(),
        instance: known.map_or_else(String::new, |answer| answer.instance.clone()),
        confirmed: known.map_or(0, |answer| answer.sequence),
        acknowledged: known
            .map(|answer| answer.acknowledgement.clone())
            .unwrap_or_default(),
        document: None,
        advisories: None,
        first_validations: None,
        clear_cooldowns: Vec::new(),
        wait_ms,
    }
}

#[tokio::test]
async fn a_pod_serves_learns_tells_and_ends() {
    let fake = fake();
    let volume = volume::Volume::new(&fake);
    volume.mount(1, &["a=sk-canary-a-000000", "b=sk-canary-b-000000"]);
    let pod = Pod::start(&volume);
    let leader = leader::Leader::new(&pod, &volume);
    let [may, allowed] = pod.open_files();
    assert_eq!(may, allowed);

    // What is known about the keys already comes first: without it the pod could use one that others saw refused.
    let mut known = leader.ask(&ask(None, 0)).await;
    assert!(known.snapshot && known.verdicts.is_empty());
    assert_eq!(known.acknowledgement.generation, 1);
    assert_eq!(pod.health("/readyz").await.0, 503);
    let named = |key: &str| FirstValidation {
        provider: volume::PROVIDER.into(),
        fingerprint: volume::fingerprint(key),
    };
    let nothing = ExchangeRequest {
        advisories: Some(Vec::new()),
        first_validations: Some(vec![named("sk-canary-a-000000"), named("sk-canary-b-000000")]),
        ..ask(Some(&known), 0)
    };
    known = leader.ask(&nothing).await;
    // Both keys are validated because the leader named this pod for them, over TLS with the private CA and the name that DNS does not know.
    let mut proven = known.verdicts.len();
    while proven < 2 + 1 {
        known = leader.ask(&ask(Some(&known), 5_000)).await;
        assert!(
            !known.verdicts.is_empty(),
            "both keys and the endpoint are told within the poll"
        );
        proven += known.verdicts.len();
    }
    assert_eq!(pod.health("/readyz").await.0, 200);

    for body in [CHAT, STREAM] {
        for _ in 0..4 {
            let (status, answer) = pod.chat(body).await;
            assert_eq!(status, 200, "{answer}");
        }
    }
    // A key is revoked: no client notices, the leader hears of it in the poll that it holds.
    fake.set_key_state("a", KeyState::Revoked).unwrap();
    for _ in 0..4 {
        assert_eq!(pod.chat(CHAT).await.0, 200);
    }
    let mut invalid = false;
    while !invalid {
        known = leader.ask(&ask(Some(&known), 5_000)).await;
        assert!(!known.verdicts.is_empty());
        invalid = known
            .verdicts
            .iter()
            .any(|verdict| matches!(verdict.finding, Finding::Invalid { .. }));
    }
    let refused = fake
        .log(0)
        .iter()
        .filter(|entry| entry.status == Some(401))
        .count();
    assert!(refused <= 2, "one request and one validation call: {refused}");

    // A new value over the exchange alone, faster than any volume.
    fake.rotate_key("a", "sk-canary-a-111111").unwrap();
    fake.set_key_state("a", KeyState::Active).unwrap();
    let document = volume.document(2, &["a=sk-canary-a-111111", "b=sk-canary-b-000000"]);
    let mut offer = ask(Some(&known), 5_000);
    offer.document = Some(document.clone());
    let answer = leader.ask(&offer).await;
    assert_eq!(answer.acknowledgement.hash.as_ref(), Some(document.hash()));
    assert_eq!(answer.acknowledgement.last_error, None);
    fake.add_rule(
        Rule::new(Answer::error(ErrorKind::RateLimitExceeded).header("retry-after", "45")).key("b"),
    );
    for _ in 0..4 {
        assert_eq!(pod.chat(CHAT).await.0, 200);
    }
    let (_, metrics) = pod.health("/metrics").await;
    for line in [
        "keypool_config_generation 2",
        "keypool_key_state{provider=\"openai\",credential=\"a\",state=\"Healthy\"} 1",
        "keypool_key_state{provider=\"openai\",credential=\"b\",state=\"CoolingDown\"} 1",
        "keypool_attempts_total{group=\"chat\",member=\"m\",credential=\"b\",outcome=\"rate\"} 1",
        "keypool_requests_total{group=\"chat\",operation=\"chat_completions\",status=\"200\"} 16",
        "keypool_inflight_requests{group=\"chat\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }

    let told = pod.end().await;
    assert!(told.status.success());
    let lines: Vec<serde_json::Value> = told
        .access_log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 16);
    for line in &lines {
        assert_eq!(line["end"], "complete", "{line}");
        // A stream's usage is only there when the client asks for it.
        assert_eq!(line["output_tokens"].is_null(), line["stream"] == true, "{line}");
    }
    assert!(told.log.contains("key changed its state"), "{}", told.log);
    for text in [&told.access_log, &told.log, &metrics] {
        for secret in ["canary", "nobody's business", volume::CLIENT_KEY, volume::TOKEN] {
            assert!(!text.contains(secret), "{secret} is in\n{text}");
        }
    }
}

#[tokio::test]
async fn sigterm_lets_an_open_stream_end_and_refuses_what_comes_after() {
    let fake = fake();
    let slow = Stream {
        events: Some(10),
        cadence: Some(Latency::millis(100)),
        ..Stream::default()
    };
    fake.add_rule(Rule::new(Answer {
        stream: Some(slow),
        ..Answer::default()
    }));
    let volume = volume::Volume::new(&fake);
    volume.mount(1, &["a=sk-canary-a-000000"]);
    let pod = Pod::start(&volume);
    let mut stream = pod.open(STREAM).await;
    stream.head().await;
    pod.terminate();
    pod.until_not_ready().await;
    let body = tokio::time::timeout(Duration::from_secs(10), stream.rest())
        .await
        .unwrap();
    assert!(
        body.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"),
        "…{}",
        &body[body.len().saturating_sub(200)..]
    );
    let told = pod.ended().await;
    assert!(told.status.success(), "{}", told.log);
    assert_eq!(told.access_log.lines().count(), 1, "{}", told.log);
}

#[tokio::test]
async fn a_broken_mount_leaves_the_last_good_one() {
    let fake = fake();
    let volume = volume::Volume::new(&fake);
    volume.mount(1, &["a=sk-canary-a-000000"]);
    let pod = Pod::start(&volume);
    let leader = leader::Leader::new(&pod, &volume);
    volume.mount_bytes(b"{\"schemaVersion\":1,\"canary\"");
    let mut known = leader.ask(&ask(None, 0)).await;
    while known.acknowledgement.last_error.is_none() {
        known = leader.ask(&ask(Some(&known), 5_000)).await;
    }
    assert_eq!(known.acknowledgement.generation, 1);
    assert_eq!(pod.chat(CHAT).await.0, 200);
    volume.mount(2, &["a=sk-canary-a-000000"]);
    while known.acknowledgement.generation != 2 {
        known = leader.ask(&ask(Some(&known), 5_000)).await;
    }
    assert_eq!(known.acknowledgement.last_error, None);
    pod.end().await;
}

//! Streams through one proxy: bytes that pass, answers that break off, clients that leave or do not read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dataplane {
    pub(crate) mod rig;
    pub(crate) mod wire;
}

use std::time::Duration;

use dataplane::rig::{Rig, Setup, asked, chat, keys_asked, post, provider, until};
use dataplane::wire::Reply;
use keypool_fake_provider::{
    Answer, Body, CutHow, CutPoint, Ending, Entry, ErrorKind, FakeProvider, Latency, Outcome, Rule, Stream,
    sha256_hex,
};

fn shaped(stream: Stream) -> Answer {
    Answer {
        stream: Some(stream),
        ..Answer::default()
    }
}

async fn rig(fake: &FakeProvider) -> Rig {
    Setup::new().member("a", fake, &["a0"]).start().await
}

/// The provider's line of the latest request, once it has ended.
async fn last(fake: &FakeProvider) -> Entry {
    until(
        "the exchange to end at the provider",
        Duration::from_secs(5),
        || {
            asked(fake)
                .last()
                .is_some_and(|entry| entry.outcome != Outcome::Open)
        },
    )
    .await;
    asked(fake).pop().unwrap()
}

#[tokio::test]
async fn every_shape_of_an_answer_passes_byte_for_byte() {
    let fake = provider(&["a0"]);
    let rig = rig(&fake).await;
    let stream = Stream::default;
    let shapes = [
        ("plain", Answer::default()),
        (
            "two bytes end a line",
            shaped(Stream {
                crlf: true,
                ..stream()
            }),
        ),
        (
            "comments",
            shaped(Stream {
                comments: true,
                ..stream()
            }),
        ),
        (
            "in one piece",
            shaped(Stream {
                together: true,
                events: Some(300),
                ..stream()
            }),
        ),
        (
            "no content",
            shaped(Stream {
                events: Some(0),
                ..stream()
            }),
        ),
        (
            "long",
            shaped(Stream {
                events: Some(5_000),
                ..stream()
            }),
        ),
        (
            "slow",
            shaped(Stream {
                cadence: Some(Latency::millis(2)),
                ..stream()
            }),
        ),
        (
            "no [DONE]",
            shaped(Stream {
                ending: Ending::NoDone,
                ..stream()
            }),
        ),
        (
            "late",
            Answer {
                first_event: Some(Latency::millis(80)),
                ..Answer::default()
            },
        ),
        (
            "interim heads",
            Answer {
                interim: vec![103, 103],
                ..Answer::default()
            },
        ),
        (
            "no length",
            Answer {
                chunked: true,
                ..Answer::default()
            },
        ),
        (
            "compressed unasked",
            Answer {
                gzip: true,
                ..Answer::default()
            },
        ),
    ];
    for (shape, answer) in shapes {
        fake.clear_rules();
        fake.add_rule(Rule::new(answer));
        for streamed in [true, false] {
            let reply = rig.exchange(post(&chat("gpt", streamed))).await;
            let entry = last(&fake).await;
            assert_eq!(
                (reply.status, reply.whole),
                (200, true),
                "{shape}: {}",
                reply.text()
            );
            assert_eq!(reply.body.len() as u64, entry.bytes_sent, "{shape}");
            assert_eq!(sha256_hex(&reply.body), entry.response_sha256, "{shape}");
            assert_eq!(entry.outcome, Outcome::Complete, "{shape}");
        }
    }
    assert_eq!(rig.state("a", "a0").await, "Healthy");
    rig.finish(&[&fake]).await;
}

/// What a client must get of an answer that broke off: nothing but words about it before the commit, and after it what came, an
/// error event, and no tidy end.
fn assert_unclean(reply: &Reply, entry: &Entry, point: &str) {
    if reply.status == 504 {
        assert_eq!(reply.code(), "upstream_timeout", "{point}");
        assert_eq!(reply.header("x-should-retry"), Some("false"), "{point}");
        return;
    }
    assert_eq!(
        (reply.status, reply.whole),
        (200, false),
        "{point}: {}",
        reply.text()
    );
    assert_eq!(
        reply.last_event_code(),
        "upstream_cut",
        "{point}: {}",
        reply.text()
    );
    // The last words follow all that came; a reset may have overtaken some of what the provider sent.
    let came = reply.body.iter().rposition(|byte| *byte == b'd').unwrap() as u64;
    assert!(came <= entry.bytes_sent + 400, "{point}");
    if reply.body.len() as u64 >= entry.bytes_sent {
        let sent = usize::try_from(entry.bytes_sent).unwrap();
        assert_eq!(sha256_hex(&reply.body[..sent]), entry.response_sha256, "{point}");
    }
}

/// Each break has a proxy of its own, so that no breaker opens.
async fn broken(fake: &FakeProvider, answer: Answer, what: &str) -> Reply {
    fake.clear_rules();
    fake.clear_log();
    fake.add_rule(Rule::new(answer));
    let rig = Setup::new()
        .member("a", fake, &["a0", "a1"])
        .each_provider(|provider| provider.timeouts.idle_ms = 300)
        .start()
        .await;
    let reply = rig.stream().await;
    assert_unclean(&reply, &last(fake).await, what);
    assert_eq!(asked(fake).len(), 1, "{what}: it may have been worked on");
    for state in rig.states("a", &["a0", "a1"]).await {
        assert!(matches!(&*state, "Healthy" | "Unknown"), "{what}: {state}");
    }
    let lines = rig.finish(&[fake]).await;
    let end = if reply.status == 200 { "cut" } else { "complete" };
    assert_eq!(lines[0]["end"], end, "{what}");
    reply
}

#[tokio::test]
async fn a_stream_that_breaks_off_anywhere_never_ends_cleanly_and_is_never_repeated() {
    let fake = provider(&["a0", "a1"]);
    let whole = rig(&fake).await.stream().await.body.len() as u64;
    let mut points = vec![
        CutPoint::BeforeHead,
        CutPoint::AfterHead,
        CutPoint::AfterFirstEvent,
        CutPoint::MidEvent,
        CutPoint::AfterEvents(2),
        CutPoint::AfterEvents(3),
        CutPoint::AfterEvents(49),
        CutPoint::WireBytes(20),
        CutPoint::WireBytes(700),
    ];
    // The finish reason stands in the last bytes; what is cut after it lacks nothing.
    points.extend((0..24).map(|step| CutPoint::Bytes(1 + step * (whole - 400) / 24)));
    let mut committed = 0;
    for point in points {
        for how in [CutHow::Close, CutHow::Reset, CutHow::Clean] {
            let headless = matches!(point, CutPoint::BeforeHead | CutPoint::WireBytes(_));
            if how == CutHow::Clean && headless {
                continue;
            }
            let reply = broken(&fake, Answer::cut(point, how), &format!("{point:?} {how:?}")).await;
            committed += usize::from(reply.status == 200);
        }
    }
    assert!(committed > 60, "{committed}");
    let stalled = Answer::cut(CutPoint::AfterEvents(5), CutHow::Stall);
    assert_eq!(broken(&fake, stalled, "silence").await.status, 200);
    let truncated = shaped(Stream {
        ending: Ending::Truncated,
        ..Stream::default()
    });
    assert_eq!(
        broken(&fake, truncated, "neither finish reason nor [DONE]")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_answer_with_a_length_that_breaks_off_is_short_at_the_client_too() {
    let fake = provider(&["a0"]);
    for point in [CutPoint::Bytes(1), CutPoint::MidEvent, CutPoint::BeforeDone] {
        for how in [CutHow::Close, CutHow::Reset] {
            fake.clear_rules();
            fake.clear_log();
            fake.add_rule(Rule::new(Answer::cut(point, how)));
            let rig = rig(&fake).await;
            // A short answer is held until it is whole, so the client is told in words.
            let reply = rig.chat().await;
            assert_eq!(
                (reply.status, &*reply.code()),
                (504, "upstream_timeout"),
                "{point:?} {how:?}"
            );
            assert_eq!(asked(&fake).len(), 1);
            // A long one is not: its client sees that bytes are missing.
            fake.clear_rules();
            fake.add_rule(Rule::new(Answer {
                status: Some(200),
                body: Some(Body::Text(format!("\"{}\"", "x".repeat(300_000)))),
                ..Answer::cut(CutPoint::Bytes(200_000), how)
            }));
            let reply = rig.chat().await;
            assert_eq!((reply.status, reply.whole), (200, false), "{point:?} {how:?}");
            rig.finish(&[&fake]).await;
        }
    }
}

#[tokio::test]
async fn an_error_as_the_first_event_goes_elsewhere_and_a_later_one_reaches_the_client_as_it_is() {
    let (bad, good) = (provider(&["a0", "a1"]), provider(&["b0"]));
    for (error, same) in [
        (ErrorKind::ServerError, false),
        (ErrorKind::ServerIsOverloaded, false),
        (ErrorKind::RateLimitExceeded, true),
        (ErrorKind::InsufficientQuota, true),
    ] {
        for after in [0, 1] {
            bad.clear_rules();
            bad.clear_log();
            good.clear_log();
            bad.add_rule(Rule::new(shaped(Stream {
                error_after: Some(after),
                error: Some(error),
                ..Stream::default()
            })));
            let rig = Setup::new()
                .member("a", &bad, &["a0", "a1"])
                .member("b", &good, &["b0"])
                .start()
                .await;
            let reply = rig.stream().await;
            assert_eq!((reply.status, reply.whole), (200, true), "{error:?} {after}");
            assert_eq!(reply.header("x-keypool-member"), Some("b"), "{error:?} {after}");
            assert_eq!(sha256_hex(&reply.body), last(&good).await.response_sha256);
            let mut keys = keys_asked(&bad);
            keys.sort();
            // The key's own trouble is tried on its sibling first; the provider's is not.
            assert_eq!(keys.len(), if same { 2 } else { 1 }, "{error:?} {after}");
            keys.dedup();
            assert_eq!(
                keys.len(),
                if same { 2 } else { 1 },
                "{error:?} {after}: each key once"
            );
            rig.finish(&[&bad, &good]).await;
        }
    }
    bad.clear_rules();
    bad.clear_log();
    good.clear_log();
    bad.add_rule(Rule::new(shaped(Stream {
        error_after: Some(10),
        ..Stream::default()
    })));
    let rig = Setup::new()
        .member("a", &bad, &["a0"])
        .member("b", &good, &["b0"])
        .start()
        .await;
    let reply = rig.stream().await;
    let entry = last(&bad).await;
    assert_eq!(sha256_hex(&reply.body), entry.response_sha256, "{}", reply.text());
    assert!(reply.text().contains("server_error"));
    assert!(asked(&good).is_empty(), "never after the first byte");
    rig.finish(&[&bad, &good]).await;
}

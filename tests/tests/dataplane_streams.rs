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
    Answer, Body, Cut, CutHow, CutPoint, Ending, Entry, ErrorKind, FakeProvider, Latency, Outcome, Rule,
    Stream, sha256_hex,
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

/// What a client must get of an answer that broke off: nothing but words about it before the commit, and after it the whole events
/// that came, an error event, and no tidy end.
fn assert_unclean(reply: &Reply, entry: &Entry, whole: &[u8], cut: Option<&Cut>, point: &str) {
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
    let mut events = events_of(&reply.body);
    events.pop();
    let came: usize = events.iter().map(|event| event.len()).sum();
    assert!(
        whole.starts_with(&reply.body[..came]),
        "{point}: {}",
        reply.text()
    );
    // A reset may overtake some of what the provider sent, and of a head and a part of the body it does not know what it sent.
    if !cut.is_some_and(|cut| cut.how == CutHow::Reset || matches!(cut.at, CutPoint::WireBytes(_))) {
        let sent = events_of(&whole[..usize::try_from(entry.bytes_sent).unwrap()]);
        let of_whole_events = sent.into_iter().filter(|event| event.ends_with(b"\n\n"));
        assert_eq!(came, of_whole_events.map(<[u8]>::len).sum::<usize>(), "{point}");
    }
}

/// The events of a stream with their ends; the last one may lack it.
fn events_of(stream: &[u8]) -> Vec<&[u8]> {
    let text = std::str::from_utf8(stream).unwrap();
    text.split_inclusive("\n\n").map(str::as_bytes).collect()
}

/// Each break has a proxy of its own, so that no breaker opens.
async fn broken(fake: &FakeProvider, answer: Answer, whole: &[u8], what: &str) -> Reply {
    fake.clear_rules();
    fake.clear_log();
    fake.add_rule(Rule::new(answer.clone()));
    let rig = Setup::new()
        .member("a", fake, &["a0", "a1"])
        .each_provider(|provider| provider.timeouts.idle_ms = 300)
        .start()
        .await;
    let reply = rig.stream().await;
    assert_unclean(&reply, &last(fake).await, whole, answer.cut.as_ref(), what);
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
    let whole = rig(&fake).await.stream().await.body;
    let length = whole.len() as u64;
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
    points.extend((0..24).map(|step| CutPoint::Bytes(1 + step * (length - 400) / 24)));
    let mut committed = 0;
    for point in points {
        for how in [CutHow::Close, CutHow::Reset, CutHow::Clean] {
            let headless = matches!(point, CutPoint::BeforeHead | CutPoint::WireBytes(_));
            if how == CutHow::Clean && headless {
                continue;
            }
            let reply = broken(
                &fake,
                Answer::cut(point, how),
                &whole,
                &format!("{point:?} {how:?}"),
            )
            .await;
            committed += usize::from(reply.status == 200);
        }
    }
    assert!(committed > 60, "{committed}");
    let stalled = Answer::cut(CutPoint::AfterEvents(5), CutHow::Stall);
    assert_eq!(broken(&fake, stalled, &whole, "silence").await.status, 200);
    let truncated = shaped(Stream {
        ending: Ending::Truncated,
        ..Stream::default()
    });
    assert_eq!(
        broken(&fake, truncated, &whole, "neither finish reason nor [DONE]")
            .await
            .status,
        200
    );
}

/// A stream that a server wrote by hand.
fn stream_of(text: &str) -> Answer {
    Answer {
        status: Some(200),
        body: Some(Body::Text(text.into())),
        chunked: true,
        ..Answer::default()
    }
    .header("content-type", "text/event-stream")
}

const CONTENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}";

#[tokio::test]
async fn a_stream_need_not_end_in_an_empty_line() {
    let fake = provider(&["a0"]);
    let rig = rig(&fake).await;
    let long = format!("data: {}", "x".repeat(200_000));
    let finish = CONTENT.replace("}]}", ",\"finish_reason\":\"stop\"}]}");
    for text in [
        format!("{CONTENT}\n\ndata: [DONE]"),
        format!("{CONTENT}\n\ndata: [DONE]\n"),
        format!("{CONTENT}\r\rdata: [DONE]\r"),
        format!("\u{feff}{CONTENT}\r\n\r\n: bye\r\ndata: [DONE]\r\n\r"),
        format!("{finish}\n\n: bye"),
        format!("{CONTENT}\n\n{long}\n\ndata: [DONE]"),
        format!("{finish}\n\n{long}"),
    ] {
        fake.clear_rules();
        fake.add_rule(Rule::new(stream_of(&text)));
        let reply = rig.stream().await;
        assert!(reply.whole, "{}", reply.text());
        assert_eq!(reply.text(), text);
    }
    // Complete by its finish reason; the half event after it would only be stumbled over.
    let text = format!("{finish}\n\ndata: {{\"id\":\"x\",\"usa");
    for how in [CutHow::Clean, CutHow::Close] {
        fake.clear_rules();
        fake.add_rule(Rule::new(Answer {
            cut: Answer::cut(CutPoint::Bytes(text.len() as u64), how).cut,
            ..stream_of(&format!("{text}ge\":1}}\n\n"))
        }));
        let reply = rig.stream().await;
        assert!(reply.whole, "{how:?}");
        assert_eq!(reply.text(), format!("{finish}\n\n"), "{how:?}");
    }
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn whole_events_go_at_once_and_a_long_one_flows() {
    let fake = provider(&["a0"]);
    let rig = rig(&fake).await;
    let text = format!("{CONTENT}\n\n{CONTENT}\n\n{CONTENT}");
    let whole = text.len() - CONTENT.len();
    // The provider falls silent for longer than the client waits.
    for cut in [whole, whole + 1, text.len()] {
        fake.clear_rules();
        fake.add_rule(Rule::new(Answer {
            cut: Answer::cut(CutPoint::Bytes(cut as u64), CutHow::Stall).cut,
            ..stream_of(&text)
        }));
        let mut client = rig.connect().await;
        client.send(post(&chat("gpt", true))).await;
        client.head().await.unwrap();
        let mut came = Vec::new();
        while came.len() < whole {
            came.extend(client.chunk().await.unwrap().unwrap());
        }
        assert_eq!(came, &text.as_bytes()[..whole]);
    }
    // Of a long event the client has a part when it breaks off, and the error event stands alone all the same.
    let long = format!("{CONTENT}\n\ndata: {}", "x".repeat(400_000));
    fake.clear_rules();
    fake.add_rule(Rule::new(Answer {
        cut: Answer::cut(CutPoint::Bytes(300_000), CutHow::Close).cut,
        ..stream_of(&long)
    }));
    let reply = rig.stream().await;
    assert!(!reply.whole && reply.body.starts_with(&long.as_bytes()[..300_000]));
    assert_eq!(reply.last_event_code(), "upstream_cut");
    rig.finish(&[&fake]).await;
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

#[tokio::test]
async fn an_error_event_about_the_request_is_not_held_against_the_provider() {
    // More in a row than a breaker stands.
    const MANY: usize = 8;
    for (error, stays) in [
        (ErrorKind::ContentPolicyViolation, true),
        (ErrorKind::ServerError, false),
    ] {
        let (first, backup) = (provider(&["a0"]), provider(&["b0"]));
        first.add_rule(Rule::new(shaped(Stream {
            error_after: Some(10),
            error: Some(error),
            ..Stream::default()
        })));
        let rig = Setup::new()
            .member("a", &first, &["a0"])
            .member("b", &backup, &["b0"])
            .start()
            .await;
        for _ in 0..MANY {
            assert_eq!(rig.stream().await.status, 200);
        }
        assert_eq!(asked(&first).len() == MANY, stays, "{error:?}");
        assert_eq!(asked(&backup).is_empty(), stays, "{error:?}");
        rig.finish(&[&first, &backup]).await;
    }
}

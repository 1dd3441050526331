//! Failures before the commit: where the request goes then, and what the client is told when it goes nowhere.

use std::time::{Duration, Instant};

use keypool_contract::document::{Ambiguous, Content};

use super::rig::{Rig, chat};
use super::samples::{BODY, DONE, HELLO, RATE, ROLE, STOP, STREAM, events, ok, url};
use super::upstream::{SSE, Step, Upstream, answer, chunk, say};

/// What some servers say while a request waits for its turn.
const WAITING: &str = ": keep-alive\n\n";

#[tokio::test]
async fn a_limited_key_costs_one_attempt_and_no_client_error() {
    let upstream = Upstream::start(|_, seen| match seen.header("authorization") {
        Some("Bearer sk-limited") => vec![answer("429 Too Many Requests", "retry-after: 30\r\n", RATE)],
        _ => ok(),
    })
    .await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-limited", "sk-good"])]).await;
    for _ in 0..10 {
        assert_eq!(rig.chat(BODY).await.status, 200);
    }
    let limited = upstream
        .requests()
        .iter()
        .filter(|seen| seen.head.contains("sk-limited"))
        .count();
    assert_eq!((limited, upstream.requests().len()), (1, 11));
}

#[tokio::test]
async fn when_every_key_is_limited_the_answer_says_so() {
    let upstream =
        Upstream::start(|_, _| vec![answer("429 Too Many Requests", "retry-after: 30\r\n", RATE)]).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1", "sk-2"])]).await;
    for attempts in [2, 2] {
        let reply = rig.chat(BODY).await;
        assert_eq!(
            (reply.status, &*reply.code()),
            (429, "no_usable_key"),
            "{}",
            reply.body
        );
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((29..=36).contains(&wait), "{wait}");
        assert!(reply.header("retry-after-ms").is_some());
        assert!(reply.body.contains("2 keys cooling down"), "{}", reply.body);
        assert_eq!(upstream.requests().len(), attempts);
    }
}

#[tokio::test]
async fn an_error_before_content_goes_elsewhere() {
    let overloaded = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":\"server_is_overloaded\"}}\n\n";
    let waited = [&[WAITING; 20][..], &[overloaded]].concat();
    for begun in [vec![ROLE, overloaded], waited] {
        let first = Upstream::start(move |_, _| events(&begun)).await;
        let second = Upstream::start(|_, _| events(&[ROLE, HELLO, STOP, DONE])).await;
        let rig = Rig::start(&[("a", url(&first), &["sk-1"]), ("b", url(&second), &["sk-2"])]).await;
        let reply = rig.chat(STREAM).await;
        assert_eq!((reply.status, reply.whole), (200, true));
        assert_eq!(reply.body, format!("{ROLE}{HELLO}{STOP}{DONE}"));
        assert_eq!(reply.header("x-keypool-member"), Some("b"));
    }
}

#[tokio::test]
async fn comments_are_no_first_event() {
    let waiting = Upstream::start(|_, _| vec![say(SSE), chunk(WAITING), chunk(WAITING), Step::Hang]).await;
    let soon = |content: &mut Content| {
        for provider in content.providers.values_mut() {
            provider.timeouts.first_event_ms = 300;
        }
    };
    let rig = Rig::with(&[("a", url(&waiting), &["sk-1"])], soon, Duration::from_secs(10)).await;
    let reply = rig.chat(STREAM).await;
    assert_eq!(
        (reply.status, &*reply.code()),
        (504, "upstream_timeout"),
        "{}",
        reply.body
    );
    // They reach the client with what they announced.
    let slow = Upstream::start(|_, _| events(&[WAITING, WAITING, ROLE, HELLO, STOP, DONE])).await;
    let rig = Rig::start(&[("a", url(&slow), &["sk-1"])]).await;
    let reply = rig.chat(STREAM).await;
    assert_eq!(reply.body, format!("{WAITING}{WAITING}{ROLE}{HELLO}{STOP}{DONE}"));
}

#[tokio::test]
async fn the_preamble_is_held_for_a_second_at_most() {
    let upstream = Upstream::start(|_, _| vec![say(SSE), chunk(ROLE), Step::Hang]).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let mut client = rig.connect().await;
    client.send(&chat(STREAM)).await;
    let began = Instant::now();
    client.head().await;
    assert_eq!(client.chunk().await.unwrap().unwrap(), ROLE);
    let took = began.elapsed();
    assert!(
        took >= Duration::from_millis(900) && took < Duration::from_secs(3),
        "{took:?}"
    );
}

#[tokio::test]
async fn faults_of_a_provider_go_to_another_and_ambiguous_ones_only_when_allowed() {
    let lost = || vec![Step::Close];
    for (ambiguous, want) in [(Ambiguous::Never, 504), (Ambiguous::Allow, 200)] {
        let first = Upstream::start(move |_, _| lost()).await;
        let second = Upstream::start(|_, _| ok()).await;
        let members = [
            ("a", url(&first), &["sk-1"][..]),
            ("b", url(&second), &["sk-2"][..]),
        ];
        let change = |content: &mut Content| content.groups[0].retry.ambiguous = ambiguous;
        let rig = Rig::with(&members, change, Duration::from_secs(1)).await;
        let reply = rig.chat(BODY).await;
        assert_eq!(reply.status, want, "{}", reply.body);
        if want == 504 {
            assert_eq!(reply.code(), "upstream_timeout");
            assert_eq!(reply.header("x-should-retry"), Some("false"));
        }
    }
    let failing = Upstream::start(|_, _| vec![answer("500 Internal Server Error", "", "{}")]).await;
    let good = Upstream::start(|_, _| ok()).await;
    let rig = Rig::start(&[("a", url(&failing), &["sk-1"]), ("b", url(&good), &["sk-2"])]).await;
    assert_eq!(rig.chat(BODY).await.header("x-keypool-member"), Some("b"));
}

#[tokio::test]
async fn a_provider_that_refuses_connections_is_left_and_blamed() {
    let nobody = Upstream::start(|_, _| ok()).await.address;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert_ne!(nobody, closed);
    let good = Upstream::start(|_, _| ok()).await;
    let down = format!("http://{closed}/v1");
    let rig = Rig::start(&[("a", down.clone(), &["sk-1"]), ("b", url(&good), &["sk-2"])]).await;
    for _ in 0..3 {
        assert_eq!(rig.chat(BODY).await.header("x-keypool-member"), Some("b"));
    }
    let alone = Rig::start(&[("a", down, &["sk-1"])]).await;
    let reply = alone.chat(BODY).await;
    assert_eq!(
        (reply.status, &*reply.code()),
        (503, "provider_down"),
        "{}",
        reply.body
    );
    assert_eq!(reply.header("x-should-retry"), Some("false"));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_given_up_and_not_asked_twice() {
    let upstream = Upstream::start(|_, _| vec![Step::Hang]).await;
    let members = [("a", url(&upstream), &["sk-1", "sk-2"][..])];
    let change = |content: &mut Content| {
        for provider in content.providers.values_mut() {
            (provider.timeouts.first_event_ms, provider.timeouts.response_ms) = (300, 300);
        }
    };
    let rig = Rig::with(&members, change, Duration::from_secs(1)).await;
    for (number, body) in [(1, BODY), (2, STREAM)] {
        let reply = rig.chat(body).await;
        assert_eq!(
            (reply.status, &*reply.code()),
            (504, "upstream_timeout"),
            "{}",
            reply.body
        );
        assert!(
            reply.body.contains("may have worked on the request"),
            "{}",
            reply.body
        );
        assert_eq!(upstream.requests().len(), number);
        upstream.open(0).await;
    }
}

#[tokio::test]
async fn what_is_not_http_is_said_to_be_so() {
    let upstream = Upstream::start(|_, _| vec![say("SSH-2.0-OpenSSH_9.2\r\n\r\n"), Step::Close]).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let reply = rig.chat(BODY).await;
    assert_eq!(
        (reply.status, &*reply.code()),
        (502, "upstream_invalid"),
        "{}",
        reply.body
    );
}

#[tokio::test]
async fn a_providers_own_error_is_passed_on_when_nothing_else_is_left() {
    let error = r#"{"error":{"message":"boom","type":"server_error","param":null,"code":null}}"#;
    let upstream = Upstream::start(move |_, _| {
        vec![answer(
            "500 Internal Server Error",
            "retry-after: 86400\r\n",
            error,
        )]
    })
    .await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1", "sk-2"])]).await;
    let reply = rig.chat(BODY).await;
    assert_eq!((reply.status, &*reply.body), (500, error));
    assert_eq!(reply.header("x-should-retry"), Some("false"));
    assert_ne!(reply.header("retry-after"), Some("86400"));
    assert!(upstream.requests().len() <= 3);
}

#[tokio::test]
async fn an_error_that_comes_with_200_is_an_error() {
    let error = r#"{"error":{"message":"boom","type":"server_error","param":null,"code":"server_error"}}"#;
    let upstream = Upstream::start(move |_, _| vec![answer("200 OK", "", error)]).await;
    let good = Upstream::start(|_, _| ok()).await;
    let alone = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let reply = alone.chat(BODY).await;
    assert_eq!((reply.status, &*reply.body), (502, error));
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"]), ("b", url(&good), &["sk-2"])]).await;
    assert_eq!(rig.chat(BODY).await.header("x-keypool-member"), Some("b"));
}

#[tokio::test]
async fn a_web_page_is_no_answer_at_any_length() {
    let page = |length| format!("\r\n<!doctype html><p>Log in</p>{}", " ".repeat(length));
    for (kind, length) in [
        ("text/html", 10),
        ("text/html; charset=utf-8", 5_000),
        ("application/json", 30_000),
        ("application/json", 300_000),
    ] {
        let text = page(length);
        let portal = Upstream::start(move |_, _| {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
                text.len()
            );
            vec![say(head), say(&text)]
        })
        .await;
        let good = Upstream::start(|_, _| ok()).await;
        let alone = Rig::start(&[("a", url(&portal), &["sk-1"])]).await;
        for body in [BODY, STREAM] {
            let reply = alone.chat(body).await;
            assert_eq!(
                (reply.status, &*reply.code()),
                (503, "provider_down"),
                "{}",
                reply.body
            );
        }
        let rig = Rig::start(&[("a", url(&portal), &["sk-1"]), ("b", url(&good), &["sk-2"])]).await;
        assert_eq!(
            rig.chat(BODY).await.header("x-keypool-member"),
            Some("b"),
            "{kind} {length}"
        );
    }
}

#[tokio::test]
async fn an_error_in_a_stream_that_cannot_go_elsewhere_reaches_the_client_as_it_is() {
    let error =
        "data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\",\"code\":\"server_error\"}}\n\n";
    let upstream = Upstream::start(move |_, _| events(&[ROLE, error])).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let reply = rig.chat(STREAM).await;
    assert_eq!((reply.status, reply.body), (200, format!("{ROLE}{error}")));
}

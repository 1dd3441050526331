//! The data path against a provider made of bytes: what goes out, what comes back, and what a fault becomes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use keypool_contract::document::Ambiguous;
use mechanics::rig::{CLIENT_KEY, Rig, chat, request};
use mechanics::upstream::{SSE, Step, Upstream, answer, chunk, gate, say};

mod mechanics {
    pub(crate) mod rig;
    pub(crate) mod upstream;
}

const JSON: &str = r#"{"id":"1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
const BODY: &str = r#"{"messages": [{"role":"user","content":"\"model\":"}], "model" : "gpt", "x":1}"#;
const STREAM: &str = r#"{"model":"gpt","stream":true,"messages":[]}"#;
const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
const HELLO: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"},\"finish_reason\":null}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const RATE: &str =
    r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;

fn url(upstream: &Upstream) -> String {
    format!("http://{}/v1", upstream.address)
}

fn ok() -> Vec<Step> {
    vec![answer("200 OK", "", JSON)]
}

fn events(texts: &[&str]) -> Vec<Step> {
    let chunks = texts.iter().map(|text| chunk(text));
    [say(SSE)]
        .into_iter()
        .chain(chunks)
        .chain([say("0\r\n\r\n")])
        .collect()
}

#[tokio::test]
async fn bytes_pass_and_only_the_model_and_the_key_change() {
    let headers = "x-request-id: up-1\r\nset-cookie: a=b\r\nopenai-organization: org-1\r\nx-ratelimit-remaining-requests: 3\r\n";
    let upstream = Upstream::start(move |_, _| vec![answer("200 OK", headers, JSON)]).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-provider"])]).await;
    let mut client = rig.connect().await;
    for _ in 0..2 {
        client
            .send(&request(
                "POST /v1/chat/completions",
                "cookie: c=d\r\nopenai-organization: org-x\r\norigin: http://x\r\nx-stainless-lang: python\r\nconnection: x-hop\r\nx-hop: 1\r\n",
                BODY,
            ))
            .await;
        let reply = client.reply().await;
        assert_eq!((reply.status, &*reply.body, reply.whole), (200, JSON, true));
        assert_eq!(reply.header("x-keypool-member"), Some("a"));
        assert_eq!(reply.header("x-keypool-request-id").map(str::len), Some(26));
        assert_eq!(reply.header("content-type"), Some("application/json"));
        for name in [
            "set-cookie",
            "openai-organization",
            "x-ratelimit-remaining-requests",
        ] {
            assert_eq!(reply.header(name), None, "{name}");
        }
    }
    let seen = upstream.requests();
    assert_eq!(seen.len(), 2);
    assert_eq!(upstream.connections(), 1, "the connection is kept");
    for request in &seen {
        assert!(
            request.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
            "{}",
            request.head
        );
        assert_eq!(request.header("host"), Some(&*upstream.address.to_string()));
        assert_eq!(request.header("authorization"), Some("Bearer sk-provider"));
        assert_eq!(request.header("accept-encoding"), Some("identity"));
        assert_eq!(request.header("x-stainless-lang"), Some("python"));
        assert!(!request.head.contains(CLIENT_KEY));
        for name in ["cookie", "openai-organization", "origin", "connection", "x-hop"] {
            assert_eq!(request.header(name), None, "{name}");
        }
        let body = BODY.replace("\"gpt\"", "\"model-of-a\"");
        assert_eq!(request.body, body.as_bytes());
    }
}

#[tokio::test]
async fn a_body_in_crumbs_arrives_as_it_was() {
    let upstream = Upstream::start(|_, _| ok()).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-provider"])]).await;
    let text = format!(
        r#"{{"model":"gpt","messages":[{{"content":"{}"}}]}}"#,
        "\\\"x".repeat(50_000)
    );
    let mut client = rig.connect().await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {CLIENT_KEY}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    client.send(&head).await;
    for piece in text.as_bytes().chunks(701) {
        let piece = std::str::from_utf8(piece).unwrap();
        client.send(&format!("{:x}\r\n{piece}\r\n", piece.len())).await;
    }
    client.send("0\r\n\r\n").await;
    let reply = client.reply().await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("connection"),
        Some("close"),
        "after a chunked body no head can be checked"
    );
    assert!(client.closes().await);
    let want = text.replace("\"gpt\"", "\"model-of-a\"");
    assert!(upstream.requests()[0].body == want.as_bytes());
}

#[tokio::test]
async fn a_stream_passes_event_by_event_and_the_connection_lives_on() {
    let (open, wait) = gate();
    let upstream = Upstream::start(move |_, _| {
        vec![
            say(SSE),
            chunk(ROLE),
            chunk(HELLO),
            wait.clone(),
            chunk(STOP),
            chunk(DONE),
            say("0\r\n\r\n"),
        ]
    })
    .await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-provider"])]).await;
    let mut client = rig.connect().await;
    client.send(&chat(STREAM)).await;
    let (status, head) = client.head().await;
    assert_eq!(status, 200);
    assert!(head.contains("text/event-stream"));
    let mut text = String::new();
    while !text.contains("hello") {
        text.push_str(&client.chunk().await.unwrap().unwrap());
    }
    // What was there has come although the next event is not.
    assert_eq!(text, format!("{ROLE}{HELLO}"));
    open.send_replace(true);
    while let Some(more) = client.chunk().await.unwrap() {
        text.push_str(&more);
    }
    assert_eq!(text, format!("{ROLE}{HELLO}{STOP}{DONE}"));
    client.send(&chat(STREAM)).await;
    assert_eq!(client.reply().await.body, text);
    assert_eq!(upstream.connections(), 1);
}

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
async fn a_cut_stream_ends_with_an_error_event_and_an_aborted_transport() {
    let half = "data: {\"choices\":[{\"delta\":{\"con";
    let upstream =
        Upstream::start(move |_, _| vec![say(SSE), chunk(ROLE), chunk(HELLO), chunk(half), Step::Close])
            .await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-provider"])]).await;
    let reply = rig.chat(STREAM).await;
    assert_eq!(reply.status, 200);
    assert!(!reply.whole, "a cut never looks like an end");
    let (passed, words) = reply.body.split_at(ROLE.len() + HELLO.len() + half.len());
    assert_eq!(passed, format!("{ROLE}{HELLO}{half}"));
    assert!(
        words.starts_with("\n\ndata: {\"error\":{") && words.ends_with("\n\n"),
        "{words:?}"
    );
    assert!(words.contains("upstream_cut"), "{words:?}");
    assert_eq!(
        upstream.requests().len(),
        1,
        "no other attempt after the first byte"
    );
}

#[tokio::test]
async fn a_stream_that_closes_cleanly_without_its_marker_is_cut_too() {
    let upstream = Upstream::start(|_, _| events(&[ROLE, HELLO])).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-provider"])]).await;
    let reply = rig.chat(STREAM).await;
    assert!(!reply.whole);
    assert!(reply.body.contains("upstream_cut"));
}

#[tokio::test]
async fn a_cut_json_answer_is_an_aborted_transport() {
    let long = "x".repeat(200_000);
    let upstream = Upstream::start(move |_, _| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 300000\r\n\r\n";
        vec![say(head), say(&long), Step::Close]
    })
    .await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-provider"])]).await;
    let reply = rig.chat(BODY).await;
    assert_eq!((reply.status, reply.whole), (200, false));
    assert_eq!(reply.header("content-length"), Some("300000"));
}

#[tokio::test]
async fn an_error_before_content_goes_elsewhere() {
    let overloaded = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":\"server_is_overloaded\"}}\n\n";
    let first = Upstream::start(move |_, _| events(&[ROLE, overloaded])).await;
    let second = Upstream::start(|_, _| events(&[ROLE, HELLO, STOP, DONE])).await;
    let rig = Rig::start(&[("a", url(&first), &["sk-1"]), ("b", url(&second), &["sk-2"])]).await;
    let reply = rig.chat(STREAM).await;
    assert_eq!((reply.status, reply.whole), (200, true));
    assert_eq!(reply.body, format!("{ROLE}{HELLO}{STOP}{DONE}"));
    assert_eq!(reply.header("x-keypool-member"), Some("b"));
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
        let change =
            |content: &mut keypool_contract::document::Content| content.groups[0].retry.ambiguous = ambiguous;
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
async fn an_idle_connection_that_the_provider_closed_costs_nothing() {
    let upstream = Upstream::start(|_, _| vec![answer("200 OK", "", JSON), Step::Close]).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    for number in 1..=5 {
        let reply = rig.chat(BODY).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        upstream.open(0).await;
        assert_eq!(upstream.requests().len(), number);
    }
    assert_eq!(upstream.connections(), 5);
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_providers_connection_with_it() {
    let waiting = Upstream::start(|_, _| vec![Step::Hang]).await;
    let streaming = Upstream::start(|_, _| vec![say(SSE), chunk(ROLE), chunk(HELLO), Step::Hang]).await;
    for (upstream, body) in [(waiting, BODY), (streaming, STREAM)] {
        let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
        let mut client = rig.connect().await;
        client.send(&chat(body)).await;
        upstream.open(1).await;
        if body == STREAM {
            client.head().await;
        } else {
            while upstream.requests().is_empty() {
                tokio::task::yield_now().await;
            }
        }
        drop(client);
        let closed = tokio::time::timeout(Duration::from_secs(1), upstream.open(0)).await;
        assert!(closed.is_ok());
    }
}

#[tokio::test]
async fn what_a_provider_says_reaches_the_client_without_our_keys() {
    let upstream = Upstream::start(|_, seen| {
        let key = seen.header("authorization").unwrap().to_owned();
        let body = format!(r#"{{"error":{{"message":"bad field; you sent {key}","type":"invalid_request_error","param":"x","code":null}}}}"#);
        vec![answer("400 Bad Request", &format!("x-echo: {key}\r\n"), &body)]
    })
    .await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-provider-1234567890abcdef"])]).await;
    let reply = rig.chat(BODY).await;
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("bad field; you sent "), "{}", reply.body);
    assert!(
        !reply.body.contains("1234567890") && !reply.head.contains("1234567890"),
        "{reply:?}"
    );
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_not_passed_on() {
    let upstream =
        Upstream::start(|_, _| vec![answer("302 Found", "location: http://other.example/\r\n", "")]).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let reply = rig.chat(BODY).await;
    assert_eq!((reply.status, &*reply.code()), (502, "upstream_invalid"));
    assert_eq!(reply.header("location"), None);
}

#[tokio::test]
async fn requests_that_break_a_rule_are_refused_and_reach_nobody() {
    let upstream = Upstream::start(|_, _| ok()).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let auth = format!("authorization: Bearer {CLIENT_KEY}\r\n");
    let post =
        |headers: &str, body: &str| format!("POST /v1/chat/completions HTTP/1.1\r\n{headers}\r\n{body}");
    let host = format!("host: a\r\n{auth}");
    let length = |body: &str| format!("{host}content-length: {}\r\n", body.len());
    let twice = r#"{"model":"a","mod\u0065l":"b"}"#;
    let compressed = format!("{host}content-encoding: gzip\r\ncontent-length: 2\r\n");
    for (bytes, status, code) in [
        (
            post(&format!("host: b\r\n{}", length("{}")), "{}"),
            400,
            "invalid_request",
        ),
        (post(&auth, ""), 400, "invalid_request"),
        (
            post(
                &format!("{host}content-length: 5\r\ntransfer-encoding: chunked\r\n"),
                "0\r\n\r\n",
            ),
            400,
            "invalid_request",
        ),
        (
            post(
                &format!("{host}transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n"),
                "0\r\n\r\n",
            ),
            400,
            "invalid_request",
        ),
        (
            post(&length("{}"), "{}").replace("\r\nhost", "\nhost"),
            400,
            "invalid_request",
        ),
        (
            format!("GET //v1/models HTTP/1.1\r\n{host}\r\n"),
            400,
            "invalid_request",
        ),
        (
            format!("GET http://a/v1/models HTTP/1.1\r\n{host}\r\n"),
            400,
            "invalid_request",
        ),
        (
            format!("GET /v1/models#x HTTP/1.1\r\n{host}\r\n"),
            400,
            "invalid_request",
        ),
        (
            format!("GET /v1/x/../models HTTP/1.1\r\n{host}\r\n"),
            400,
            "invalid_request",
        ),
        (
            format!("GET /v1/models HTTP/1.0\r\n{host}\r\n"),
            400,
            "invalid_request",
        ),
        (
            format!("CONNECT a:80 HTTP/1.1\r\n{host}\r\n"),
            405,
            "unsupported_method",
        ),
        (
            format!("TRACE /v1/models HTTP/1.1\r\n{host}\r\n"),
            405,
            "unsupported_method",
        ),
        (
            format!("DELETE /v1/models HTTP/1.1\r\n{host}\r\n"),
            405,
            "unsupported_method",
        ),
        (
            format!("GET /v1/chat/completions HTTP/1.1\r\n{host}\r\n"),
            405,
            "unsupported_method",
        ),
        (
            format!("GET /v1/files HTTP/1.1\r\n{host}\r\n"),
            404,
            "unsupported_path",
        ),
        (
            format!("GET /g/other/v1/models HTTP/1.1\r\n{host}\r\n"),
            404,
            "unsupported_path",
        ),
        (
            "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n".into(),
            401,
            "invalid_client_key",
        ),
        (
            "GET /no/such/path HTTP/1.1\r\nhost: a\r\n\r\n".into(),
            401,
            "invalid_client_key",
        ),
        (
            "GET /v1/models HTTP/1.1\r\nhost: a\r\nauthorization: Bearer x\r\n\r\n".into(),
            401,
            "invalid_client_key",
        ),
        (post(&compressed, "{}"), 415, "compressed_body"),
        (
            post(&format!("{host}content-length: 33554433\r\n"), "{"),
            413,
            "body_too_large",
        ),
        (post(&length(twice), twice), 400, "duplicate_field"),
        (post(&length("[]"), "[]"), 400, "invalid_request"),
        (
            post(&format!("{host}x-long: {}\r\n", "x".repeat(17_000)), ""),
            431,
            "header_too_large",
        ),
    ] {
        let mut client = rig.connect().await;
        client.send(&bytes).await;
        let reply = client.reply().await;
        assert_eq!(
            (reply.status, &*reply.code()),
            (status, code),
            "{bytes:?}: {}",
            reply.body
        );
        assert_eq!(reply.header("connection"), Some("close"), "{bytes:?}");
        assert!(reply.header("x-keypool-request-id").is_some());
        assert!(client.closes().await, "{bytes:?}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_body_without_end_is_refused_at_its_limit() {
    let upstream = Upstream::start(|_, _| ok()).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let mut client = rig.connect().await;
    client.send(&format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {CLIENT_KEY}\r\ntransfer-encoding: chunked\r\n\r\n4000\r\n{{\"x\":\"{}\r\n",
        "a".repeat(0x4000 - 6)
    )).await;
    let more = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    for _ in 0..520 {
        if !client.try_send(more.as_bytes()).await {
            break;
        }
    }
    let reply = client.reply().await;
    assert_eq!((reply.status, &*reply.code()), (413, "body_too_large"));
}

#[tokio::test]
async fn models_are_answered_here() {
    let upstream = Upstream::start(|_, _| ok()).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let mut client = rig.connect().await;
    client.send(&request("GET /v1/models", "", "")).await;
    let reply = client.reply().await;
    let list: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["chat", "gpt", "a", "model-of-a"]);
    client.send(&request("GET /g/chat/v1/models/gpt", "", "")).await;
    assert_eq!(client.reply().await.status, 200);
    client.send(&request("GET /v1/models/other", "", "")).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, &*reply.code()), (404, "model_not_found"));
    let reply = rig.chat(r#"{"model":"other","messages":[]}"#).await;
    assert_eq!((reply.status, &*reply.code()), (404, "model_not_found"));
    assert!(reply.body.contains("gpt"), "{}", reply.body);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_drain_lets_open_streams_finish_and_cuts_what_is_left() {
    let (open, wait) = gate();
    let upstream = Upstream::start(move |number, _| {
        let rest = if number == 0 { wait.clone() } else { Step::Hang };
        vec![
            say(SSE),
            chunk(HELLO),
            rest,
            chunk(STOP),
            chunk(DONE),
            say("0\r\n\r\n"),
        ]
    })
    .await;
    let members = [("a", url(&upstream), &["sk-1"][..])];
    let rig = Rig::with(&members, |_| {}, Duration::from_millis(500)).await;
    let (mut finishing, mut endless, mut idle) =
        (rig.connect().await, rig.connect().await, rig.connect().await);
    finishing.send(&chat(STREAM)).await;
    finishing.head().await;
    endless.send(&chat(STREAM)).await;
    endless.head().await;
    idle.send(&request("GET /v1/models", "", "")).await;
    idle.reply().await;
    let address = rig.proxy.addresses().clients;
    let draining = tokio::spawn(rig.proxy.drain());
    assert!(idle.closes().await);
    open.send_replace(true);
    let mut text = String::new();
    while let Some(more) = finishing.chunk().await.unwrap() {
        text.push_str(&more);
    }
    assert_eq!(text, format!("{HELLO}{STOP}{DONE}"));
    assert!(finishing.closes().await);
    let mut text = String::new();
    while let Ok(Some(more)) = endless.chunk().await {
        text.push_str(&more);
    }
    assert!(text.starts_with(HELLO) && text.contains("\"draining\""), "{text}");
    assert!(endless.closes().await);
    draining.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn tls_faults_are_the_providers_and_touch_no_key() {
    let ca = Ca::new();
    let day = Duration::from_secs(24 * 3600);
    let now = std::time::SystemTime::now();
    for (name, until, bundle, want) in [
        ("localhost", now + day, Some(ca.pem.clone()), None),
        (
            "other.example",
            now + day,
            Some(ca.pem.clone()),
            Some("for another name"),
        ),
        (
            "localhost",
            now - day,
            Some(ca.pem.clone()),
            Some("not valid at this time"),
        ),
        ("localhost", now + day, Some(Ca::new().pem), Some("not trusted")),
        ("localhost", now + day, None, Some("not trusted")),
    ] {
        let upstream = Upstream::serve(Some(ca.acceptor(name, until)), |_, _| ok()).await;
        let members = [(
            "a",
            format!("https://localhost:{}/v1", upstream.address.port()),
            &["sk-1"][..],
        )];
        let change = |content: &mut keypool_contract::document::Content| {
            content
                .providers
                .values_mut()
                .for_each(|provider| provider.ca_bundle.clone_from(&bundle));
        };
        let rig = Rig::with(&members, change, Duration::from_secs(1)).await;
        let reply = rig.chat(BODY).await;
        match want {
            None => assert_eq!((reply.status, &*reply.body), (200, JSON)),
            Some(cause) => {
                assert_eq!(
                    (reply.status, &*reply.code()),
                    (503, "provider_down"),
                    "{}",
                    reply.body
                );
                assert!(reply.body.contains(cause), "{cause}: {}", reply.body);
                assert!(upstream.requests().is_empty(), "no key was sent");
            }
        }
    }
}

struct Ca {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Ca {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: rcgen::Issuer::new(params, key),
            pem,
        }
    }

    fn acceptor(&self, name: &str, until: std::time::SystemTime) -> tokio_rustls::TlsAcceptor {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = until.into();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    }
}

//! What passes, and what of it changes.

use super::rig::{CLIENT_KEY, Rig, chat, request};
use super::samples::{BODY, DONE, HELLO, JSON, ROLE, STOP, STREAM, events, ok, url};
use super::upstream::{SSE, Step, Upstream, answer, chunk, gate, say};

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
async fn a_compressed_error_is_told_in_our_own_words() {
    for (status, headers) in [
        ("400 Bad Request", "content-encoding: gzip\r\n"),
        (
            "500 Oops",
            "content-encoding: identity\r\ncontent-encoding: BR\r\n",
        ),
    ] {
        let upstream = Upstream::start(move |_, _| vec![answer(status, headers, "\u{1f}packed sk-1")]).await;
        let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
        let reply = rig.chat(BODY).await;
        assert_eq!(
            (reply.status, &*reply.code()),
            (502, "upstream_invalid"),
            "{status}"
        );
        assert!(
            !reply.body.contains("packed") && reply.body.contains(&status[..3]),
            "{}",
            reply.body
        );
        assert_eq!(reply.header("content-encoding"), None);
    }
}

#[tokio::test]
async fn a_stream_that_begins_with_an_error_holds_none_of_our_keys_either() {
    const OTHER: &str = "sk-provider-fedcba0987654321";
    let upstream = Upstream::start(|_, seen| {
        let key = seen.header("authorization").unwrap().to_owned();
        let head = SSE.replace("\r\n\r\n", &format!("\r\nx-echo: {OTHER}\r\n\r\n"));
        let (start, end) = key.split_at(30);
        let error = format!("data: {{\"error\":{{\"message\":\"you sent {start}");
        let rest = format!("{end}\",\"type\":\"server_error\",\"code\":\"server_error\"}}}}\n\n");
        vec![say(&head), chunk(&error), chunk(&rest), say("0\r\n\r\n")]
    })
    .await;
    let keys = ["sk-provider-1234567890abcdef", OTHER];
    let rig = Rig::start(&[("a", url(&upstream), &keys)]).await;
    let reply = rig.chat(STREAM).await;
    assert!(reply.body.contains("you sent Bearer "), "{}", reply.body);
    assert!(reply.header("x-echo").unwrap().contains('*'), "{}", reply.head);
    for key in keys {
        let start = &key[12..20];
        assert!(
            !reply.body.contains(start) && !reply.head.contains(start),
            "{reply:?}"
        );
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_holds_none_of_our_keys_either() {
    const OTHER: &str = "sk-provider-fedcba0987654321";
    let upstream = Upstream::start(|_, seen| {
        let key = seen.header("authorization").unwrap().to_owned();
        let (start, end) = key.split_at(30);
        let error = format!("data: {{\"error\":{{\"message\":\"you sent {start}");
        let rest = format!(
            "{end}\",\"type\":\"server_error\"}}}}\n\ndata: {{\"error\":\"also {}",
            &OTHER[..20]
        );
        let last = format!("{}\"}}\n\n", &OTHER[20..]);
        let begun = [ROLE, HELLO].map(chunk);
        let failed = [&*error, &rest, &last].map(chunk);
        [say(SSE)]
            .into_iter()
            .chain(begun)
            .chain(failed)
            .chain([say("0\r\n\r\n")])
            .collect()
    })
    .await;
    let keys = ["sk-provider-1234567890abcdef", OTHER];
    let rig = Rig::start(&[("a", url(&upstream), &keys)]).await;
    let reply = rig.chat(STREAM).await;
    let passed = format!("{ROLE}{HELLO}data: {{\"error\":{{\"message\":\"you sent Bearer ");
    assert!(
        reply.body.starts_with(&passed) && reply.body.contains("also "),
        "{}",
        reply.body
    );
    for key in keys {
        assert!(
            !reply.body.contains(&key[12..20]) && !reply.body.contains(&key[20..]),
            "{}",
            reply.body
        );
    }
}

/// Servers leave the type to a framework.
#[tokio::test]
async fn a_stream_is_one_whatever_its_type_is_called() {
    const AS_PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n";
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":\"server_is_overloaded\"}}\n\n";
    let (open, wait) = gate();
    let upstream = Upstream::start(move |number, _| {
        let more = match number {
            0 => vec![
                chunk("\r\n"),
                chunk(&ROLE[..2]),
                chunk(&ROLE[2..]),
                chunk(HELLO),
                wait.clone(),
                chunk(STOP),
                chunk(DONE),
            ],
            1 => vec![chunk(HELLO)],
            _ => vec![chunk(error)],
        };
        [say(AS_PAGE)]
            .into_iter()
            .chain(more)
            .chain([say("0\r\n\r\n")])
            .collect()
    })
    .await;
    let backup = Upstream::start(|_, _| events(&[ROLE, HELLO, STOP, DONE])).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"]), ("b", url(&backup), &["sk-2"])]).await;
    let mut client = rig.connect().await;
    client.send(&chat(STREAM)).await;
    client.head().await;
    let first = client.chunk().await.unwrap().unwrap();
    assert!(
        first.starts_with("\r\ndata:"),
        "events go as they come: {first:?}"
    );
    open.send_replace(true);
    let mut text = first;
    while let Some(more) = client.chunk().await.unwrap() {
        text.push_str(&more);
    }
    assert_eq!(text, format!("\r\n{ROLE}{HELLO}{STOP}{DONE}"));
    let reply = rig.chat(STREAM).await;
    assert!(
        !reply.whole && reply.body.contains("upstream_cut"),
        "{}",
        reply.body
    );
    let reply = rig.chat(STREAM).await;
    assert_eq!((reply.whole, reply.header("x-keypool-member")), (true, Some("b")));
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
async fn requests_that_are_sent_ahead_are_answered_in_turn() {
    let upstream = Upstream::start(|_, _| ok()).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let mut client = rig.connect().await;
    let three = [chat(BODY), request("GET /v1/models/gpt", "", ""), chat(BODY)].concat();
    client.send(&three).await;
    assert_eq!(client.reply().await.body, JSON);
    assert!(client.reply().await.body.contains("\"gpt\""));
    assert_eq!(client.reply().await.body, JSON);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let upstream = Upstream::start(|_, _| ok()).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let mut client = rig.connect().await;
    let request = request("POST /v1/chat/completions", "expect: 100-continue\r\n", BODY);
    let (head, body) = request.split_at(request.len() - BODY.len());
    client.send(head).await;
    assert_eq!(client.head().await.0, 100);
    client.send(body).await;
    assert_eq!(client.reply().await.body, JSON);
    assert!(!upstream.requests()[0].head.contains("expect"));
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_read_is_passed_on() {
    let upstream = Upstream::early(answer(
        "413 Payload Too Large",
        "connection: close\r\n",
        "{\"error\":{}}",
    ))
    .await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let body = format!(r#"{{"model":"gpt","x":"{}"}}"#, "a".repeat(8_000_000));
    let reply = rig.chat(&body).await;
    assert_eq!((reply.status, &*reply.body), (413, "{\"error\":{}}"));
}

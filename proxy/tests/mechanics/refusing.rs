//! What never gets as far as a provider.

use super::rig::{CLIENT_KEY, Rig};
use super::samples::{ok, url};
use super::upstream::Upstream;

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
        // Too far off to be read beside the parser.
        (
            post(&format!("{host}content-length:{:30}2\r\n", ""), "{}"),
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

//! Strict HTTP: what is not a plain request is refused, its connection closed, and nothing of it reaches a provider.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dataplane {
    pub(crate) mod rig;
    pub(crate) mod wire;
}
#[path = "dataplane/front/vectors.rs"]
mod vectors;

use dataplane::rig::{Rig, Setup, asked, chat, post, provider};
use futures::StreamExt;
use futures::stream::iter;
use vectors::{Vector, auth, bodies, framings, hosts, lines, strangers, targets};

/// Sends a vector with a good request behind it in the same packet, which nobody may take for one.
async fn refuse(rig: &Rig, (bytes, allowed): &Vector) -> Option<String> {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(160)]).into_owned();
    let mut client = rig.connect().await;
    client.send(bytes).await;
    client.try_send(post(&chat("gpt", false)).as_bytes()).await;
    client.finish().await;
    let reply = client.try_reply().await;
    let rest = client.rest().await;
    if !rest.is_empty() {
        return Some(format!(
            "{shown:?} is followed by {}",
            String::from_utf8_lossy(&rest)
        ));
    }
    let Some(reply) = reply else {
        return (!allowed.is_empty()).then(|| format!("{shown:?}: no answer"));
    };
    let right = if allowed.is_empty() {
        (400..500).contains(&reply.status)
    } else {
        allowed.contains(&reply.status)
    };
    (!right).then(|| format!("{shown:?}: {} {}", reply.head, reply.text()))
}

#[tokio::test]
async fn what_is_not_a_plain_request_is_refused_and_reaches_nobody() {
    let fake = provider(&["a0"]);
    let rig = Setup::new().member("a", &fake, &["a0"]).start().await;
    let vectors: Vec<Vector> = [targets(), lines(), hosts(), framings(), bodies(), strangers()].concat();
    assert!(vectors.len() > 150, "{}", vectors.len());
    let wrong: Vec<String> = iter(&vectors)
        .map(|vector| refuse(&rig, vector))
        .buffer_unordered(16)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        vectors.len(),
        wrong.join("\n\n")
    );
    assert_eq!(fake.counts().connections, 0, "{:?}", asked(&fake));
    // And a plain request passes.
    assert_eq!(rig.chat().await.status, 200);
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn a_field_that_stands_twice_is_named() {
    let fake = provider(&["a0"]);
    let rig = Setup::new().member("a", &fake, &["a0"]).start().await;
    for (body, field) in [
        (r#"{"model":"gpt","mod\u0065l":"gpt"}"#, "model"),
        (r#"{"model":"gpt","stream":true,"\u0073tream":true}"#, "stream"),
    ] {
        let reply = rig.exchange(post(body)).await;
        assert_eq!((reply.status, &*reply.code()), (400, "duplicate_field"));
        let error: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(error["error"]["param"], field);
    }
    assert!(asked(&fake).is_empty());
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn a_connection_that_asks_to_become_another_protocol_stays_http() {
    let fake = provider(&["a0"]);
    let rig = Setup::new().member("a", &fake, &["a0"]).start().await;
    for upgrade in [
        "h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA",
        "websocket\r\nsec-websocket-key: x",
    ] {
        let body = chat("gpt", false);
        let bytes = format!(
            "POST /v1/chat/completions HTTP/1.1\r\n{}connection: upgrade, http2-settings\r\nupgrade: {upgrade}\r\ncontent-length: {}\r\n\r\n{body}",
            auth(),
            body.len()
        );
        assert_eq!(rig.exchange(bytes).await.status, 200);
    }
    for entry in asked(&fake) {
        for name in ["upgrade", "connection", "http2-settings", "sec-websocket-key"] {
            assert_eq!(entry.header(name), None, "{name}");
        }
    }
    rig.finish(&[&fake]).await;
}

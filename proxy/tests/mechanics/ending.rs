//! How answers end: whole, cut, left by the client, drained.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keypool_contract::document::Content;

use super::rig::{Rig, chat, request};
use super::samples::{BODY, DONE, HELLO, ROLE, STOP, STREAM, events, url};
use super::upstream::{SSE, Seen, Step, Upstream, chunk, gate, say};

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
    // Half an event and an error event would read as one.
    let (passed, words) = reply.body.split_at(ROLE.len() + HELLO.len());
    assert_eq!(passed, format!("{ROLE}{HELLO}"));
    assert!(
        words.starts_with("data: {\"error\":{") && words.ends_with("\n\n"),
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
async fn a_client_that_leaves_takes_the_providers_connection_with_it() {
    let waiting = Upstream::start(|_, _| vec![Step::Hang]).await;
    let streaming = Upstream::start(|_, _| vec![say(SSE), chunk(ROLE), chunk(HELLO), Step::Hang]).await;
    for (upstream, body) in [(waiting, BODY), (streaming, STREAM)] {
        // Also one that has said more than its request: nothing that hyper understands, or the next one.
        for more in [String::new(), "\r\n".into(), "x".into(), chat(body)] {
            let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
            let before = upstream.requests().len();
            let mut client = rig.connect().await;
            client.send(&format!("{}{more}", chat(body))).await;
            upstream.open(1).await;
            if body == STREAM {
                client.head().await;
            } else {
                while upstream.requests().len() == before {
                    tokio::task::yield_now().await;
                }
            }
            drop(client);
            let closed = tokio::time::timeout(Duration::from_secs(1), upstream.open(0)).await;
            assert!(closed.is_ok(), "{more:?}");
        }
    }
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
    let rig = Rig::with(&members, |_| {}, Duration::from_secs(2)).await;
    let (mut finishing, mut endless) = (rig.connect().await, rig.connect().await);
    let (mut idle, mut busy) = (rig.connect().await, rig.connect().await);
    finishing.send(&chat(STREAM)).await;
    finishing.head().await;
    endless.send(&chat(STREAM)).await;
    endless.head().await;
    idle.send(&request("GET /v1/models", "", "")).await;
    idle.reply().await;
    busy.send(&request("GET /v1/models", "", "")).await;
    busy.reply().await;
    let address = rig.proxy.addresses().clients;
    let draining = tokio::spawn(rig.proxy.drain());
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    // Its next request may be on its way: it is answered and told to close.
    busy.send(&request("GET /v1/models", "", "")).await;
    let last = busy.reply().await;
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert!(busy.closes().await);
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
async fn a_slow_reader_holds_the_provider_back_and_loses_nothing() {
    let piece = "x".repeat(60_000);
    let event = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{piece}\"}},\"finish_reason\":null}}]}}\n\n"
    );
    let total = 200;
    let said = Arc::new(AtomicUsize::new(0));
    let script = {
        let (event, said) = (event.clone(), said.clone());
        move |_: usize, _: &Seen| {
            let chunks = (0..total).flat_map(|_| [chunk(&event), Step::Count(said.clone())]);
            let end = [chunk(STOP), chunk(DONE), say("0\r\n\r\n")];
            [say(SSE)].into_iter().chain(chunks).chain(end).collect()
        }
    };
    let upstream = Upstream::start(script).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let mut client = rig.connect().await;
    client.send(&chat(STREAM)).await;
    client.head().await;
    // What is on its way fills the sockets' buffers and no more: after a while nothing more is taken.
    let mut before = usize::MAX;
    let mut now = said.load(Ordering::SeqCst);
    while now != before {
        before = now;
        tokio::time::sleep(Duration::from_millis(200)).await;
        now = said.load(Ordering::SeqCst);
    }
    assert!(now < total, "the provider is held back");
    let mut length = 0;
    while let Some(text) = client.chunk().await.unwrap() {
        length += text.len();
    }
    assert_eq!(length, event.len() * total + STOP.len() + DONE.len());
}

#[tokio::test]
async fn a_reset_in_the_middle_is_a_cut() {
    let upstream = Upstream::start(|_, _| vec![say(SSE), chunk(HELLO), Step::Reset]).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let reply = rig.chat(STREAM).await;
    assert!(!reply.whole);
}

#[tokio::test]
async fn a_marker_that_came_makes_an_answer_whole_whatever_the_transport_does() {
    let upstream =
        Upstream::start(|_, _| vec![say(SSE), chunk(HELLO), chunk(STOP), chunk(DONE), Step::Close]).await;
    let rig = Rig::start(&[("a", url(&upstream), &["sk-1"])]).await;
    let reply = rig.chat(STREAM).await;
    assert_eq!((reply.whole, reply.body), (true, format!("{HELLO}{STOP}{DONE}")));
}

fn impatient(content: &mut Content) {
    let providers = content.providers.values_mut();
    providers.for_each(|provider| provider.timeouts.idle_ms = 300);
}

#[tokio::test]
async fn silence_in_a_stream_ends_it_as_a_cut() {
    let upstream = Upstream::start(|_, _| vec![say(SSE), chunk(HELLO), Step::Hang]).await;
    let members = [("a", url(&upstream), &["sk-1"][..])];
    let rig = Rig::with(&members, impatient, Duration::from_secs(1)).await;
    let reply = rig.chat(STREAM).await;
    assert!(
        !reply.whole && reply.body.contains("sent nothing for too long"),
        "{}",
        reply.body
    );
    upstream.open(0).await;
}

#[tokio::test]
async fn silence_after_the_last_event_takes_nothing_back() {
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n";
    for (said, whole) in [
        (format!("{HELLO}{STOP}{DONE}"), true),
        (format!("{HELLO}{STOP}"), true),
        (format!("{HELLO}{error}"), false),
    ] {
        let script = said.clone();
        let upstream = Upstream::start(move |_, _| vec![say(SSE), chunk(&script), Step::Hang]).await;
        let members = [("a", url(&upstream), &["sk-1"][..])];
        let rig = Rig::with(&members, impatient, Duration::from_secs(1)).await;
        let reply = rig.chat(STREAM).await;
        assert_eq!((reply.whole, &*reply.body), (whole, &*said));
        upstream.open(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_never_pauses_ends_with_the_drain_too() {
    let upstream = Upstream::start(|_, _| {
        let Step::Say(event) = chunk(&HELLO.replace("hello", &"x".repeat(20_000))) else {
            unreachable!("a chunk is said")
        };
        vec![say(SSE), Step::Repeat(event)]
    })
    .await;
    let members = [("a", url(&upstream), &["sk-1"][..])];
    let rig = Rig::with(&members, |_| {}, Duration::from_secs(1)).await;
    let mut client = rig.connect().await;
    client.send(&chat(STREAM)).await;
    client.head().await;
    let draining = tokio::spawn(rig.proxy.drain());
    let mut last = String::new();
    while let Ok(Some(more)) = client.chunk().await {
        last = more;
    }
    assert!(last.contains("\"draining\""), "{} bytes", last.len());
    draining.await.unwrap();
}

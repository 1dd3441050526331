//! Clients that leave, and clients that do not read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dataplane {
    pub(crate) mod rig;
    pub(crate) mod wire;
}

use std::time::Duration;

use dataplane::rig::{Setup, asked, chat, post, provider, until};
use dataplane::wire::Client;
use keypool_fake_provider::{Answer, CutHow, CutPoint, Latency, Outcome, Rule, Stream};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_client_that_leaves_takes_the_providers_work_with_it_within_a_second() {
    const CLIENTS: usize = 20;
    let fake = provider(&["a0"]);
    let stall = |at| Answer::cut(at, CutHow::Stall);
    let late = Answer::default().delayed(Latency::millis(60_000));
    for (what, answer, streamed) in [
        ("before the head", Answer::blackhole(), true),
        ("before the head of a whole answer", late, false),
        ("before the first event", stall(CutPoint::AfterHead), true),
        (
            "while the preamble is held",
            stall(CutPoint::AfterFirstEvent),
            true,
        ),
        ("in the stream", stall(CutPoint::AfterEvents(5)), true),
        ("in a whole answer", stall(CutPoint::Bytes(50)), false),
    ] {
        fake.clear_rules();
        fake.clear_log();
        fake.add_rule(Rule::new(answer));
        let rig = Setup::new().member("a", &fake, &["a0"]).start().await;
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = rig.connect().await;
            client.send(post(&chat("gpt", streamed))).await;
            clients.push(client);
        }
        until("all requests to reach the provider", 5 * SECOND, || {
            asked(&fake).len() == CLIENTS
        })
        .await;
        if what == "in the stream" {
            for client in &mut clients {
                assert_eq!(client.head().await.unwrap().0, 200);
                client.chunk().await.unwrap().unwrap();
            }
        }
        drop(clients);
        until(
            &format!("the provider to see that clients left {what}"),
            SECOND,
            || {
                asked(&fake)
                    .iter()
                    .all(|entry| entry.outcome == Outcome::ClientGone)
            },
        )
        .await;
        assert_eq!(asked(&fake).len(), CLIENTS, "{what}: nothing is sent again");
        let inflight = "keypool_inflight_requests{group=\"chat\"}";
        assert_eq!(rig.metric(inflight).await, Some(0.0), "{what}");
        let state = rig.state("a", "a0").await;
        assert!(matches!(&*state, "Unknown" | "Healthy"), "{what}: {state}");
        // A breaker that took them for failures would refuse this.
        fake.clear_rules();
        assert_eq!(rig.chat().await.status, 200, "{what}");
        let lines = rig.finish(&[&fake]).await;
        let left = lines.iter().filter(|line| line["end"] == "cancelled").count();
        assert_eq!(left, CLIENTS, "{what}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_it_is_rotated_ends_the_rotation() {
    let fake = provider(&["a0", "a1", "a2"]);
    let refused = Answer::error(keypool_fake_provider::ErrorKind::RateLimitExceeded);
    fake.add_rule(Rule::new(refused).times(1));
    fake.add_rule(Rule::new(Answer::blackhole()));
    let rig = Setup::new().member("a", &fake, &["a0", "a1", "a2"]).start().await;
    let mut client = rig.connect().await;
    client.send(post(&chat("gpt", false))).await;
    until("the second attempt", 5 * SECOND, || asked(&fake).len() == 2).await;
    drop(client);
    until("the provider to see it", SECOND, || {
        asked(&fake)[1].outcome == Outcome::ClientGone
    })
    .await;
    assert_eq!(asked(&fake).len(), 2);
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn a_slow_reader_slows_its_provider_down_and_gets_every_byte() {
    let fake = provider(&["a0"]);
    fake.add_rule(Rule::new(Answer {
        stream: Some(Stream {
            events: Some(80_000),
            together: true,
            ..Stream::default()
        }),
        ..Answer::default()
    }));
    let rig = Setup::new().member("a", &fake, &["a0"]).start().await;
    let mut slow = Client::connect_small(rig.clients, Default::default()).await;
    slow.send(post(&chat("gpt", true))).await;
    assert_eq!(slow.head().await.unwrap().0, 200);
    // As long as another client takes to read the same, the slow one's provider does not get rid of it.
    let reply = rig.stream().await;
    assert!(reply.whole);
    // The kernel's buffers on the way do not take as much.
    assert!(reply.body.len() > 14 * 1024 * 1024, "{}", reply.body.len());
    until("the provider to have sent it", 5 * SECOND, || {
        asked(&fake)[1].outcome == Outcome::Complete
    })
    .await;
    assert_eq!(
        asked(&fake)[0].outcome,
        Outcome::Open,
        "someone holds the whole answer"
    );
    let mut got = Vec::with_capacity(reply.body.len());
    while let Some(bytes) = slow.chunk().await.unwrap() {
        got.extend(bytes);
    }
    assert!(got == reply.body);
    rig.finish(&[&fake]).await;
}

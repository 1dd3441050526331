use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use keypool_fake_provider::{Answer, Entry, Latency, Match, Outcome, Rule, Stream};
use keypool_tests::product::{Caller, Chat, LIMIT, Member, Provider, Proxy, Scene, Sdk, manifests};
use keypool_tests::ring::Test;
use keypool_tests::wait;
use rustix::process::Signal;

/// Streams that each of the three proxies carries.
const STREAMS: [usize; 3] = [67, 67, 66];
/// Long enough for a kill and a rollout: 75 s.
const EVENTS: u64 = 150;
const CADENCE: Latency = Latency::Fixed(500.0);

/// The allowance for the moment of the kill. A process that is killed is gone
/// at once, the Service knows two or three seconds later; meanwhile each of
/// the SDK's three attempts meets the dead one with a chance of one in three.
/// So of the calls around this span a few may fail; before and after it none.
const MOMENT: Duration = Duration::from_secs(5);
const LOST: usize = 6;

/// 200 open streams on three proxies. One proxy is killed: its streams fail
/// where the SDK sees it. Then all are rolled: their streams end whole.
pub(crate) async fn cluster_scale_and_kill(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let fake = scene.provider("openai").await?;
    let keys = scene.keys(&fake, &["team-a", "team-b"]).await?;
    scene
        .apply(&[
            manifests::secret("openai-keys", &keys),
            manifests::provider("openai", &fake, &["team-a", "team-b"]),
            manifests::group("chat", &[Member::new("a", "openai", "gpt-4.1")]),
        ])
        .await?;
    scene.healthy(&["openai"], "chat").await?;
    let scale = ["scale", "loadbalancegroup/chat", "--replicas=3"];
    test.kubectl()?.run(&scale).await?;
    scene.serving("chat").await?;
    let proxies = scene.proxies("chat").await?;
    ensure!(proxies.len() == STREAMS.len(), "not three proxies: {proxies:?}");
    fake.add_rule(&slow_streams()).await?;

    let caller = scene.caller("chat").await?;
    let mark = fake.mark().await?;
    let streams = proxies.iter().zip(STREAMS).enumerate();
    let streams = streams.map(|(number, (proxy, count))| open(&scene, &caller, proxy, number, count));
    let streams = futures::future::try_join_all(streams);
    let disturbed = async {
        all_open(&fake, mark).await?;
        let over = AtomicBool::new(false);
        let disturb = async {
            let killed = disturb(&scene, &fake, &proxies[0], mark).await;
            over.store(true, Ordering::Relaxed);
            killed
        };
        futures::try_join!(disturb, calls(&scene, &caller, &over))
    };
    let (streams, (killed, batches)) = futures::try_join!(streams, disturbed)?;

    judge_streams(&streams, &fake.requests(mark).await?)?;
    judge_calls(killed, &batches)?;
    scene.finish().await
}

fn slow_streams() -> Rule {
    let stream = Stream {
        events: Some(EVENTS),
        cadence: Some(CADENCE),
        ..Stream::default()
    };
    Rule {
        when: Match {
            stream: Some(true),
            ..Match::default()
        },
        answer: Answer {
            stream: Some(stream),
            ..Answer::default()
        },
        ..Rule::default()
    }
}

/// Streams of the stock SDK on one proxy, to their ends.
async fn open(
    scene: &Scene,
    caller: &Caller,
    proxy: &Proxy,
    number: usize,
    count: usize,
) -> anyhow::Result<Vec<Chat>> {
    let sdk = Sdk {
        first: number * 100,
        streamed: "all",
        ..Sdk::without_retries(count, count)
    };
    sdk.run(scene, &caller.to(&proxy.url()), "chat").await
}

/// A stream's preamble is held for a second at most; after this its client has
/// begun to read.
const BEGUN: Duration = Duration::from_secs(3);
/// Well before they end.
const OPENED: Duration = Duration::from_secs(30);

/// Waits until the provider, and its clients, are in the middle of all streams.
async fn all_open(fake: &Provider, mark: u64) -> anyhow::Result<()> {
    let all: usize = STREAMS.iter().sum();
    wait::until("200 open streams", OPENED, || async {
        let log = fake.requests(mark).await.map_err(|error| error.to_string())?;
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let begun = |entry: &&Entry| now >= Duration::from_millis(entry.wall_ms) + BEGUN;
        let open = log.iter().filter(|entry| is_open(entry)).filter(begun).count();
        if open == all {
            Ok(())
        } else {
            Err(format!("{open} of {}", log.len()))
        }
    })
    .await?;
    Ok(())
}

fn is_open(entry: &Entry) -> bool {
    entry.stream && entry.status == Some(200) && entry.outcome == Outcome::Open
}

/// Kills one proxy, then rolls all; tells when it killed.
async fn disturb(scene: &Scene, fake: &Provider, victim: &Proxy, mark: u64) -> anyhow::Result<Instant> {
    scene.keep_metrics().await?;
    let killed = Instant::now();
    victim.process()?.signal(Signal::KILL)?;
    wait::until(
        "the provider to see the killed proxy's streams end",
        LIMIT,
        || async {
            let log = fake.requests(mark).await.map_err(|error| error.to_string())?;
            let gone = log
                .iter()
                .filter(|entry| entry.stream && entry.outcome == Outcome::ClientGone);
            let gone = gone.count();
            if gone == STREAMS[0] { Ok(()) } else { Err(gone) }.map_err(|gone| format!("{gone} gone"))
        },
    )
    .await?;
    scene.serving("chat").await?;

    let kubectl = scene.test().kubectl()?;
    kubectl
        .run(&["rollout", "restart", "deployment/chat-keypool"])
        .await?;
    kubectl
        .run(&["rollout", "status", "deployment/chat-keypool", "--timeout=180s"])
        .await?;
    // Else the rollout would show nothing about streams.
    let open = fake
        .requests(mark)
        .await?
        .iter()
        .filter(|entry| is_open(entry))
        .count();
    ensure!(
        open == STREAMS[1] + STREAMS[2],
        "{open} streams were open when the pods were replaced"
    );
    Ok(killed)
}

/// Calls of the stock SDK with its default retries.
struct Batch {
    began: Instant,
    ended: Instant,
    chats: Vec<Chat>,
}

/// New calls by the Service, one batch after the other, until it is over.
async fn calls(scene: &Scene, caller: &Caller, over: &AtomicBool) -> anyhow::Result<Vec<Batch>> {
    let sdk = Sdk {
        max_retries: None,
        streamed: "none",
        ..Sdk::without_retries(20, 2)
    };
    let mut batches = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let chats = sdk.run(scene, caller, "chat").await?;
        batches.push(Batch {
            began,
            ended: Instant::now(),
            chats,
        });
    }
    Ok(batches)
}

/// None of the killed proxy's streams ended as if it were whole, and all others
/// are the provider's bytes to the last.
fn judge_streams(streams: &[Vec<Chat>], log: &[Entry]) -> anyhow::Result<()> {
    let sent: BTreeMap<usize, &str> = log
        .iter()
        .filter(|entry| entry.stream && entry.outcome == Outcome::Complete)
        .filter_map(|entry| {
            Some((
                Chat::number_in(entry.body.as_deref()?)?,
                entry.response_sha256.as_str(),
            ))
        })
        .collect();
    let (killed, rolled) = streams.split_first().context("no streams")?;
    let clean: Vec<_> = killed.iter().filter(|chat| chat.ok).collect();
    ensure!(
        clean.is_empty(),
        "{} of the killed proxy's streams ended cleanly: {:?}",
        clean.len(),
        clean[0]
    );
    // The SDK itself has to raise; the script's own exception means that it took the end for a tidy one.
    let unseen = |chat: &&Chat| {
        chat.error
            .as_ref()
            .is_some_and(|error| error.starts_with("RuntimeError"))
    };
    let unseen: Vec<_> = killed.iter().filter(unseen).collect();
    ensure!(
        unseen.is_empty(),
        "{} of the killed proxy's streams ended without an exception of the SDK: {:?}",
        unseen.len(),
        unseen[0]
    );
    let begun = killed
        .iter()
        .all(|chat| chat.status == Some(200) && chat.bytes > 0);
    ensure!(begun, "a killed stream had not begun: {killed:?}");
    for chat in rolled.iter().flatten() {
        ensure!(
            chat.ok && chat.attempts == 1,
            "a rolled proxy's stream failed: {chat:?}"
        );
        let sent = sent.get(&chat.number).copied();
        ensure!(
            sent == Some(chat.sha256.as_str()),
            "other bytes than the provider's {sent:?}: {chat:?}"
        );
    }
    Ok(())
}

fn judge_calls(killed: Instant, batches: &[Batch]) -> anyhow::Result<()> {
    let mut lost = Vec::new();
    for batch in batches {
        let failed: Vec<_> = batch.chats.iter().filter(|chat| !chat.ok).collect();
        let apart = batch.ended < killed || batch.began > killed + MOMENT;
        ensure!(
            failed.is_empty() || !apart,
            "calls failed {:?} after the kill: {failed:?}",
            batch.began.saturating_duration_since(killed)
        );
        lost.extend(failed);
    }
    ensure!(
        lost.len() <= LOST,
        "{} calls failed around the kill, such as {:?}",
        lost.len(),
        lost[0]
    );
    ensure!(
        batches.iter().any(|batch| batch.began > killed + MOMENT),
        "no call came later"
    );
    Ok(())
}

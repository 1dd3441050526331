use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use keypool_fake_provider::Entry;
use keypool_tests::product::{Chat, Quickstart, Scene, Sdk};
use keypool_tests::ring::Test;
use kube::api::{Patch, PatchParams};

const COUNT: usize = 400;

/// The example as its README says, called by the SDK without retries: every
/// request is answered with the provider's bytes, in the shares that the
/// manifests ask for.
pub(crate) async fn cluster_quickstart(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let example = Quickstart::apply(&scene).await?;
    scene.healthy(&Quickstart::PROVIDERS, Quickstart::GROUP).await?;
    // Each replica shares out by itself: the bound below is that of one.
    let one = Patch::Merge(serde_json::json!({"spec": {"proxy": {"replicas": 1}}}));
    scene
        .load_balance_groups()
        .patch(Quickstart::GROUP, &PatchParams::default(), &one)
        .await?;
    scene.settled(Quickstart::GROUP, 1).await?;

    let caller = scene.caller(Quickstart::GROUP).await?;
    let mark = example.fake.mark().await?;
    let chats = Sdk::without_retries(COUNT, 8)
        .run(&scene, &caller, Quickstart::MODEL)
        .await?;
    let log = example.fake.requests(mark).await?;
    let log: Vec<Entry> = log.into_iter().filter(Entry::is_inference).collect();

    all_answered(&chats)?;
    shares(&log)?;
    bodies(&chats, &log)?;
    validated_once(&example.fake.requests(0).await?)?;

    // What the README lets people try by hand.
    let session = ["port-forward service/chat-keypool", "team-b/state"];
    let printed = example.follow(&scene, &session).await?;
    for line in [
        "\"chat.completion\"",
        "kind: ModelProvider",
        "state: Invalid",
        "team-b is refused by the provider; replace Secret",
    ] {
        ensure!(printed.contains(line), "no {line} in {printed}");
    }
    scene.finish().await
}

/// There were two replicas, and one of them asked about each key, once.
fn validated_once(log: &[Entry]) -> anyhow::Result<()> {
    let mut by_key: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in log.iter().filter(|entry| !entry.is_inference()) {
        *by_key.entry(&entry.key).or_default() += 1;
    }
    let once = Quickstart::KEYS_OF_A.into_iter().chain(["vllm", "backup"]);
    ensure!(by_key == once.map(|key| (key, 1)).collect(), "{by_key:?}");
    Ok(())
}

fn all_answered(chats: &[Chat]) -> anyhow::Result<()> {
    let failed: Vec<_> = chats.iter().filter(|chat| !chat.ok).collect();
    ensure!(chats.len() == COUNT, "{} lines", chats.len());
    ensure!(
        failed.is_empty(),
        "{} failed, such as {:?}",
        failed.len(),
        failed[0]
    );
    ensure!(chats.iter().all(|chat| chat.attempts == 1));
    Ok(())
}

/// Members 3:1 and the keys of `a` equal, each within two requests.
fn shares(log: &[Entry]) -> anyhow::Result<()> {
    let mut by_key: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in log {
        *by_key.entry(&entry.key).or_default() += 1;
    }
    let count = |key: &str| by_key.get(key).copied().unwrap_or_default();
    let of_a: Vec<usize> = Quickstart::KEYS_OF_A.iter().map(|key| count(key)).collect();
    let a: usize = of_a.iter().sum();
    let near = |is: usize, share: usize| is.abs_diff(share) <= 2;
    ensure!(log.len() == COUNT && a + count("vllm") == COUNT, "{by_key:?}");
    ensure!(near(a, COUNT * 3 / 4), "member a got {a} of {COUNT}");
    ensure!(of_a.iter().all(|of_key| near(*of_key, a / 4)), "{by_key:?}");
    ensure!(log.iter().filter(|entry| entry.stream).count() == COUNT / 2);
    Ok(())
}

/// What the client's socket got is what the provider's socket sent.
fn bodies(chats: &[Chat], log: &[Entry]) -> anyhow::Result<()> {
    let mut sent: BTreeMap<usize, &Entry> = BTreeMap::new();
    for entry in log {
        let body = entry.body.as_deref().context("no body in the log")?;
        sent.insert(Chat::number_in(body).context("no number in the prompt")?, entry);
    }
    for chat in chats {
        let entry = sent.get(&chat.number).context("not in the provider's log")?;
        let (got, given) = (
            (&chat.sha256, chat.bytes),
            (&entry.response_sha256, entry.bytes_sent),
        );
        ensure!(
            got == given,
            "request {}: got {got:?}, given {given:?}",
            chat.number
        );
    }
    Ok(())
}

use std::time::Instant;

use anyhow::{Context as _, ensure};
use keypool_tests::product::{LIMIT, Member, Scene, manifests, status};
use keypool_tests::ring::Test;
use keypool_tests::watcher::{Seen, Watcher};
use kube::api::{Patch, PatchParams};
use rustix::process::Signal;
use serde_json::json;

/// `Programmed` is a fact about the pods: one that stands still keeps it False,
/// and where none runs nothing is programmed.
pub(crate) async fn cluster_programmed_is_true_only_when_acknowledged(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let fake = scene.provider("openai").await?;
    let keys = scene.keys(&fake, &["team-a"]).await?;
    let members = [Member::new("a", "openai", "gpt-4.1")];
    let watcher = scene.watch_groups().await?;
    scene
        .apply(&[
            manifests::secret("openai-keys", &keys),
            manifests::provider("openai", &fake, &["team-a"]),
            manifests::group("chat", &members).at("/spec/proxy/replicas", 2),
            // More than any node has: its pods stay Pending.
            manifests::group("nowhere", &members).at("/spec/proxy/resources/requests/cpu", "4000"),
        ])
        .await?;
    scene.healthy(&["openai"], "chat").await?;

    one_stands_still(&scene, &watcher).await?;
    none_wanted(&scene, &watcher).await?;

    watcher
        .wait_for("the group without pods to say so", LIMIT, |seen| {
            seen.name() == "nowhere" && programmed(seen).is_some_and(|(_, reason, _)| reason == "NoProxies")
        })
        .await?;
    let ever = watcher
        .versions("nowhere")
        .iter()
        .filter_map(programmed)
        .any(|(is, _, _)| is);
    ensure!(!ever, "without a pod it was Programmed");
    ensure!(watcher.broken().is_empty(), "{:?}", watcher.broken());
    scene.finish().await
}

async fn one_stands_still(scene: &Scene, watcher: &Watcher) -> anyhow::Result<()> {
    let proxies = scene.proxies("chat").await?;
    let [still, other] = proxies.as_slice() else {
        anyhow::bail!("not two proxies: {proxies:?}");
    };
    let process = still.process()?;
    process.signal(Signal::STOP)?;
    let generation = edit(scene, json!({"spec": {"aliases": ["gpt-4.1"]}})).await?;
    let names = |seen: &Seen| {
        seen.name() == "chat"
            && of_spec(seen, generation)
            && programmed(seen).is_some_and(|(is, _, message)| {
                !is && message.contains(&still.name) && !message.contains(&other.name)
            })
    };
    let said = watcher
        .wait_for("Programmed to name the pod that stands still", LIMIT, names)
        .await;
    let before = Instant::now();
    process.signal(Signal::CONT)?;
    said?;
    let of_edit = |seen: &Seen| of_spec(seen, generation) && programmed(seen).is_some_and(|(is, _, _)| is);
    let early = watcher
        .versions("chat")
        .iter()
        .any(|seen| seen.at < before && of_edit(seen));
    ensure!(!early, "Programmed while a pod stood still");
    watcher
        .wait_for("Programmed once the pod goes on", LIMIT, |seen| {
            seen.name() == "chat" && seen.at >= before && of_edit(seen)
        })
        .await?;
    ensure!(still.process()? == process, "the pod was started anew");
    Ok(())
}

async fn none_wanted(scene: &Scene, watcher: &Watcher) -> anyhow::Result<()> {
    let generation = edit(scene, json!({"spec": {"proxy": {"replicas": 0}}})).await?;
    watcher
        .wait_for("Programmed to say that it is scaled to 0", LIMIT, |seen| {
            seen.name() == "chat"
                && of_spec(seen, generation)
                && programmed(seen).is_some_and(|(is, reason, _)| !is && reason == "ScaledToZero")
        })
        .await?;
    let back = edit(scene, json!({"spec": {"proxy": {"replicas": 1}}})).await?;
    scene.serving("chat").await?;
    let versions = watcher.versions("chat");
    let at_zero = versions
        .iter()
        .filter(|seen| of_spec(seen, generation) && !of_spec(seen, back));
    let ever = at_zero.filter_map(programmed).any(|(is, _, _)| is);
    ensure!(!ever, "Programmed while scaled to 0");
    Ok(())
}

/// Changes the group and tells the generation that it has then.
async fn edit(scene: &Scene, change: serde_json::Value) -> anyhow::Result<i64> {
    let groups = scene.load_balance_groups();
    let group = groups
        .patch("chat", &PatchParams::default(), &Patch::Merge(change))
        .await?;
    group.metadata.generation.context("no generation")
}

/// Whether the status is about this spec or a later one.
fn of_spec(seen: &Seen, generation: i64) -> bool {
    let of = status::condition(seen, "Programmed").and_then(|condition| condition.observed_generation);
    of.is_some_and(|of| of >= generation)
}

/// Whether it is True, its reason and its message.
fn programmed(seen: &Seen) -> Option<(bool, String, String)> {
    let condition = status::condition(seen, "Programmed")?;
    Some((condition.status == "True", condition.reason, condition.message))
}

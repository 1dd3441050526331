use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use keypool_crds::v1alpha1::{KeyState, KeyStatus};
use keypool_fake_provider::{Entry, KeyState as Standing};
use keypool_tests::product::{LIMIT, Member, Provider, Scene, Steady, all_answered, manifests, status};
use keypool_tests::ring::Test;
use keypool_tests::wait;
use serde_json::json;

use crate::operators::Operators;

const KEYS: [&str; 3] = ["dead", "slow", "good"];
/// As long as a vendor's hint may hold a key.
const COOLDOWN: u64 = 900;

/// What is known about keys outlives the pods that learned it and the operator
/// that was told: all of them are replaced, under traffic, and nothing changes.
pub(crate) async fn cluster_verdict_outlives_pod(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let fake = scene.provider("openai").await?;
    let keys = scene.keys(&fake, &KEYS).await?;
    scene
        .apply(&[
            manifests::secret("openai-keys", &keys),
            manifests::provider("openai", &fake, &KEYS),
            manifests::group("chat", &[Member::new("a", "openai", "gpt-4.1")]).at("/spec/proxy/replicas", 2),
        ])
        .await?;
    scene.healthy(&["openai"], "chat").await?;
    let steady = Steady::start(&scene.caller("chat").await?);

    let (dead, slow) = learn(&scene, &fake).await?;
    let mark = fake.mark().await?;
    let watcher = scene.watch_providers().await?;

    // The proxies first, then the operator, then all of them at once.
    let operators = Operators::new(&test)?;
    scene.keep_metrics().await?;
    roll_proxies(&scene).await?;
    operators.roll().await?;
    scene.keep_metrics().await?;
    let (proxies, operator) = futures::join!(roll_proxies(&scene), operators.roll());
    proxies?;
    operator?;
    settled(&scene, &fake).await?;
    all_answered(&steady.stop().await?)?;

    let log = fake.requests(mark).await?;
    let touched: Vec<&Entry> = log.iter().filter(|entry| entry.key != "good").collect();
    let told = |entry: &&Entry| {
        format!(
            "{} {} by {} at {:.0} ms",
            entry.method, entry.path, entry.key, entry.at_ms
        )
    };
    let told: Vec<_> = touched.iter().map(told).collect();
    ensure!(touched.is_empty(), "requests on keys at rest: {told:#?}");
    let versions = watcher.versions("openai");
    for (name, known) in [("dead", &dead), ("slow", &slow)] {
        let changed = versions
            .iter()
            .filter_map(|seen| status::key(seen, name))
            .find(|key| !same(key, known));
        ensure!(changed.is_none(), "{name} was {known:?} and became {changed:?}");
    }
    ensure!(
        status::history(&watcher, "openai", "good") == [KeyState::Healthy],
        "good changed"
    );
    for type_ in [
        "Accepted",
        "ResolvedRefs",
        "EndpointHealthy",
        "KeysHealthy",
        "Ready",
    ] {
        let mut told: Vec<_> = versions
            .iter()
            .filter_map(|seen| status::condition(seen, type_))
            .collect();
        told.dedup_by_key(|condition| (condition.status.clone(), condition.last_transition_time.0));
        ensure!(told.len() == 1, "{type_} changed: {told:?}");
    }
    ensure!(watcher.broken().is_empty(), "{:?}", watcher.broken());
    scene.finish().await
}

/// Has one key refused for good and one for fifteen minutes; gives their
/// statuses.
async fn learn(scene: &Scene, fake: &Provider) -> anyhow::Result<(KeyStatus, KeyStatus)> {
    let begun = Instant::now();
    let watcher = scene.watch_providers().await?;
    let limited = json!({
        "match": {"key": "slow", "path": "*/chat/completions"},
        "answer": {"error": "rate_limit_exceeded", "headers": {"retry-after": COOLDOWN.to_string()}},
    });
    fake.add_rule(&serde_json::from_value(limited)?).await?;
    fake.set_key_state("dead", Standing::Revoked).await?;
    let slow = status::wait_for_key(&watcher, "openai", "slow", begun, LIMIT, |key| {
        key.state == KeyState::CoolingDown
    });
    slow.await?;
    let dead = status::wait_for_key(&watcher, "openai", "dead", begun, LIMIT, |key| {
        key.state == KeyState::Invalid
    });
    let seen = dead.await?;
    let dead = status::key(&seen, "dead").context("no dead")?;
    let slow = status::key_now(&scene.providers(), "openai", "slow").await?;
    let until = slow.until.as_ref().context("no end of the cooldown")?;
    let left = until
        .0
        .duration_since(k8s_openapi::jiff::Timestamp::now())
        .as_secs();
    ensure!(left > 600 && slow.state == KeyState::CoolingDown, "{slow:?}");
    Ok((dead, slow))
}

/// A change of the rounded end within one step is none.
fn same(now: &KeyStatus, known: &KeyStatus) -> bool {
    let apart = match (&now.until, &known.until) {
        (Some(now), Some(known)) => now.0.duration_since(known.0).as_secs().abs(),
        (None, None) => 0,
        _ => i64::MAX,
    };
    let what = |key: &KeyStatus| (key.state, key.reason, key.since.clone(), key.fingerprint.clone());
    what(now) == what(known) && apart <= 10
}

/// Replaces all proxies and waits until none of the old ones serves.
async fn roll_proxies(scene: &Scene) -> anyhow::Result<()> {
    let old = scene.proxies("chat").await?;
    let kubectl = scene.test().kubectl()?;
    kubectl
        .run(&["rollout", "restart", "deployment/chat-keypool"])
        .await?;
    kubectl
        .run(&["rollout", "status", "deployment/chat-keypool", "--timeout=180s"])
        .await?;
    wait::until("the old proxies to be gone", Duration::from_secs(60), || async {
        let now = scene.proxies("chat").await.map_err(|error| error.to_string())?;
        match now.iter().any(|proxy| old.iter().any(|old| old.uid == proxy.uid)) {
            false => Ok(()),
            true => Err(format!("{now:?}")),
        }
    })
    .await?;
    Ok(())
}

/// Waits until the new proxies serve and have answered a while.
async fn settled(scene: &Scene, fake: &Provider) -> anyhow::Result<()> {
    scene.serving("chat").await?;
    let mark = fake.mark().await?;
    wait::until("fifty more requests", LIMIT, || async {
        let log = fake.requests(mark).await.map_err(|error| error.to_string())?;
        if log.len() >= 50 {
            Ok(())
        } else {
            Err(log.len().to_string())
        }
    })
    .await?;
    Ok(())
}

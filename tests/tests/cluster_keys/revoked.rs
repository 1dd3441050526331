use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Event;
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus};
use keypool_fake_provider::{Entry, KeyState as AtProvider, sha256_hex};
use keypool_tests::product::{
    Member, Provider, Proxy, Scene, Steady, VolumesHeld, all_answered, bucket, manifests, status,
};
use keypool_tests::ring::Test;
use keypool_tests::wait;
use keypool_tests::watcher::Watcher;
use kube::api::ListParams;

use crate::clock::{after, told_in_time};

const KEYS: [&str; 3] = ["team-a", "team-b", "team-c"];
const REVOKED: &str = "team-b";
/// May be used and may not list models.
const SHY: &str = "team-c";
/// A status write may wait for its bucket, which gives one in ten seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// A key is revoked at the provider and mended in its Secret.
pub(crate) async fn cluster_key_revoked_and_mended(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let fake = scene.provider("openai").await?;
    let keys = scene.keys(&fake, &KEYS).await?;
    fake.set_key_state(SHY, AtProvider::ListForbidden).await?;
    let group = manifests::group("chat", &[Member::new("a", "openai", "gpt-4.1")]);
    let watcher = scene.watch_providers().await?;
    let begun = Instant::now();
    scene
        .apply(&[
            manifests::secret("openai-keys", &keys),
            manifests::provider("openai", &fake, &KEYS),
            group.at("/spec/proxy/replicas", 2),
        ])
        .await?;
    scene.serving("chat").await?;
    let unproven = |key: &KeyStatus| key.reason == KeyReason::NotVerifiable;
    status::wait_for_key(&watcher, "openai", SHY, begun, LIMIT, unproven).await?;

    let caller = scene.caller("chat").await?;
    let before = scene.proxies("chat").await?;
    ensure!(before.len() == 2, "proxies {before:?}");
    let processes = processes(&before)?;
    let traffic: Vec<_> = before
        .iter()
        .map(|proxy| Steady::start(&caller.to(&proxy.url())))
        .collect();
    // One request at a time and replica.
    for name in KEYS {
        let healthy = |key: &KeyStatus| key.state == KeyState::Healthy;
        status::wait_for_key(&watcher, "openai", name, begun, LIMIT, healthy).await?;
    }

    let old = is_refused(&scene, &fake, &watcher).await?;
    is_mended(&scene, &fake, &watcher, &old).await?;

    for steady in traffic {
        all_answered(&steady.stop().await?)?;
    }
    // Two replicas, and one of them asked about the key that no answer proves, once.
    let asked = fake.counts().await?.keys.get(SHY).map(|count| count.probes);
    ensure!(asked == Some(1), "{asked:?} validation calls for {SHY}");
    let now = scene.proxies("chat").await?;
    ensure!(
        now == before && self::processes(&now)? == processes,
        "{now:?} is not {before:?}"
    );
    let history = status::history(&watcher, "openai", SHY);
    ensure!(
        history.iter().all(|state| state.usable()),
        "{SHY} was {history:?}"
    );
    ensure!(watcher.broken().is_empty(), "{:?}", watcher.broken());
    scene.finish().await
}

/// The provider refuses the key: told in time, confirmed, and not asked again.
async fn is_refused(scene: &Scene, fake: &Provider, watcher: &Watcher) -> anyhow::Result<KeyStatus> {
    let (mark, begun) = (fake.mark().await?, Instant::now());
    fake.set_key_state(REVOKED, AtProvider::Revoked).await?;
    let invalid =
        |key: &KeyStatus| key.state == KeyState::Invalid && key.reason == KeyReason::RefusedByProvider;
    let seen = status::wait_for_key(watcher, "openai", REVOKED, begun, LIMIT, invalid).await?;
    let refused = refusals(fake, mark).await?;
    told_in_time(
        &seen,
        refused.first().context("no refusal in the provider's log")?,
    )?;
    event(scene, "KeyInvalid", "Warning").await?;

    // Every other key is used on and on; this one is not.
    let used = |log: &[Entry]| log.iter().filter(|entry| entry.seq > mark).count() > 200;
    fake.wait_for_log(Duration::from_secs(30), used).await?;
    let log = fake.requests(mark).await?;
    let shy = log
        .iter()
        .filter(|entry| entry.key == SHY && entry.is_inference());
    // A third before the refusal and half after it; nothing but a few means that it is not used on.
    let shy = shy.filter(|entry| entry.status == Some(200)).count();
    ensure!(shy >= 50, "{SHY} served {shy} of 200 requests");
    let refused = refusals(fake, mark).await?;
    let (chats, probes): (Vec<&Entry>, Vec<&Entry>) = refused.iter().partition(|entry| entry.is_inference());
    ensure!(chats.len() <= 2, "{} refused chat requests", chats.len());
    ensure!((1..=2).contains(&probes.len()), "{} probes", probes.len());
    status::key(&seen, REVOKED).context("no key")
}

async fn refusals(fake: &Provider, mark: u64) -> anyhow::Result<Vec<Entry>> {
    let log = fake.requests(mark).await?;
    Ok(log
        .into_iter()
        .filter(|entry| entry.status == Some(401))
        .collect())
}

/// A new value in the Secret is used at once, by the exchange alone.
async fn is_mended(scene: &Scene, fake: &Provider, watcher: &Watcher, old: &KeyStatus) -> anyhow::Result<()> {
    let value = scene.known().fresh(REVOKED);
    fake.rotate_key(REVOKED, &value).await?;
    let digest = sha256_hex(value.as_bytes());
    // All so far took only seconds, as nothing of a person's does.
    bucket::room(watcher, "openai").await?;
    let held = VolumesHeld::new(scene.test().node()?)?;
    let (edited, begun) = (SystemTime::now(), Instant::now());
    scene.write_secret("openai-keys", REVOKED, &value).await?;
    let with_it = |entry: &&Entry| entry.is_inference() && entry.key_sha256 == digest;
    let log = fake
        .wait_for_log(LIMIT, |log| log.iter().any(|entry| with_it(&entry)))
        .await?;
    let used = log.iter().find(with_it).context("not used")?;
    let took = after(used).duration_since(edited)?;
    ensure!(took <= Duration::from_secs(2), "used {took:?} after the edit");
    ensure!(used.status == Some(200), "{:?}", used.status);

    let mended = |key: &KeyStatus| key.state.usable() && key.fingerprint != old.fingerprint;
    let seen = status::wait_for_key(watcher, "openai", REVOKED, begun, LIMIT, mended).await?;
    let took = seen.time.duration_since(edited)?;
    ensure!(took <= Duration::from_secs(2), "seen {took:?} after the edit");
    let healthy = |key: &KeyStatus| key.state == KeyState::Healthy && key.fingerprint != old.fingerprint;
    status::wait_for_key(watcher, "openai", REVOKED, begun, LIMIT, healthy).await?;
    event(scene, "KeyRecovered", "Normal").await?;
    drop(held);
    let log = fake.requests(0).await?;
    let probes = log
        .iter()
        .filter(|entry| !entry.is_inference() && entry.key_sha256 == digest);
    ensure!(probes.count() <= 1, "the new value was asked about twice");
    Ok(())
}

async fn event(scene: &Scene, reason: &str, type_: &str) -> anyhow::Result<()> {
    let events = scene.test().api::<Event>();
    let what = format!("the Event {reason}");
    wait::until(&what, LIMIT, || async {
        let list = events
            .list(&ListParams::default())
            .await
            .map_err(|error| error.to_string())?
            .items;
        let found = list.iter().any(|event| {
            event.reason.as_deref() == Some(reason)
                && event.type_.as_deref() == Some(type_)
                && event.involved_object.name.as_deref() == Some("openai")
                && event
                    .message
                    .as_deref()
                    .is_some_and(|text| text.contains(REVOKED))
        });
        let told: Vec<_> = list.iter().filter_map(|event| event.message.clone()).collect();
        found.then_some(()).ok_or(told.join("; "))
    })
    .await?;
    Ok(())
}

fn processes(proxies: &[Proxy]) -> anyhow::Result<Vec<(u32, u64)>> {
    let of = |proxy: &Proxy| proxy.process().map(|process| (process.pid, process.started));
    proxies.iter().map(of).collect()
}

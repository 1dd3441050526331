use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, ensure};
use keypool_crds::v1alpha1::{KeyReason, KeyState};
use keypool_fake_provider::{Answer, Entry, ErrorKind, Rule};
use keypool_tests::product::{
    Caller, Member, Provider, Proxy, Scene, Steady, all_answered, manifests, status,
};
use keypool_tests::ring::Test;
use keypool_tests::wait;

use crate::clock::{after, told_in_time};

const KEYS: [&str; 4] = ["team-a", "team-b", "team-c", "team-d"];
const LIMITED: &str = "team-b";
/// What the provider says, and what a fifth more of jitter makes of it.
const HINT: Duration = Duration::from_secs(45);
const LATEST: Duration = Duration::from_secs(54);
/// Until a request comes that may use the key again.
const NEXT: Duration = Duration::from_millis(500);

/// One proxy is told by the provider that a key is limited: nobody else asks
/// with it until the time that the provider named.
pub(crate) async fn cluster_key_limited(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let fake = scene.provider("openai").await?;
    let keys = scene.keys(&fake, &KEYS).await?;
    let group = manifests::group("chat", &[Member::new("a", "openai", "gpt-4.1")]);
    scene
        .apply(&[
            manifests::secret("openai-keys", &keys),
            manifests::provider("openai", &fake, &KEYS),
            group.at("/spec/proxy/replicas", 2),
        ])
        .await?;
    scene.healthy(&["openai"], "chat").await?;
    let caller = scene.caller("chat").await?;
    let proxies = scene.proxies("chat").await?;
    let [one, other] = proxies.as_slice() else {
        anyhow::bail!("proxies {proxies:?}");
    };
    let watcher = scene.watch_providers().await?;
    let mark = fake.mark().await?;
    let begun = Instant::now();

    let refused = meet_the_limit(&fake, &caller.to(&one.url()), mark).await?;
    metrics_show_it(&scene, other, &refused).await?;
    let cooling = |key: &_| is(key, KeyState::CoolingDown, KeyReason::RateLimited);
    let seen = status::wait_for_key(&watcher, "openai", LIMITED, begun, LIMIT, cooling).await?;
    told_in_time(&seen, &refused)?;
    // Rounded up to ten seconds.
    let until = status::key(&seen, LIMITED)
        .and_then(|key| key.until)
        .context("no until")?;
    let left = SystemTime::from(until.0).duration_since(after(&refused))?;
    ensure!(
        left >= HINT && left <= LATEST + Duration::from_secs(10),
        "until is {left:?} after the refusal"
    );

    all_answered(&caller.to(&other.url()).many(1000, 8).await)?;
    let took = SystemTime::now().duration_since(after(&refused))?;
    ensure!(
        took < HINT,
        "a thousand requests were over {took:?} after the refusal"
    );
    let early = used(&fake, &refused).await?;
    ensure!(
        early.is_empty(),
        "the key was used while it was limited: {early:?}"
    );
    let traffic = [one, other].map(|proxy| Steady::start(&caller.to(&proxy.url())));
    let next = wait::until("the key to be used again", LATEST + LIMIT, || async {
        used(&fake, &refused).await?.into_iter().next().context("not yet")
    })
    .await?;
    let pause = pause(&refused, &next);
    ensure!(
        pause >= HINT && pause <= LATEST + NEXT,
        "used again after {pause:?}"
    );

    let healthy = |key: &_| {
        is(key, KeyState::Healthy, KeyReason::Proven) || is(key, KeyState::Healthy, KeyReason::CooldownOver)
    };
    status::wait_for_key(&watcher, "openai", LIMITED, seen.at, LIMIT, healthy).await?;
    for steady in traffic {
        all_answered(&steady.stop().await?)?;
    }
    let history = status::history(&watcher, "openai", LIMITED);
    ensure!(
        history == [KeyState::Healthy, KeyState::CoolingDown, KeyState::Healthy],
        "{history:?}"
    );
    ensure!(watcher.broken().is_empty(), "{:?}", watcher.broken());
    scene.finish().await
}

const LIMIT: Duration = Duration::from_secs(30);

fn is(key: &keypool_crds::v1alpha1::KeyStatus, state: KeyState, reason: KeyReason) -> bool {
    key.state == state && key.reason == reason
}

/// Lets the provider refuse the key once, and sends requests until it has.
async fn meet_the_limit(fake: &Provider, caller: &Caller, mark: u64) -> anyhow::Result<Entry> {
    let hint = HINT.as_secs().to_string();
    let answer = Answer::error(ErrorKind::RateLimitExceeded).header("retry-after", &hint);
    let rule = Rule::new(answer).key(LIMITED).path("*/chat/completions").times(1);
    fake.add_rule(&rule).await?;
    let replies = caller.many(2 * KEYS.len(), 1).await;
    all_answered(&replies)?;
    let log = fake.requests(mark).await?;
    let refused: Vec<Entry> = log
        .into_iter()
        .filter(|entry| entry.status == Some(429))
        .collect();
    ensure!(refused.len() == 1, "{} refusals", refused.len());
    refused.into_iter().next().context("no refusal")
}

/// The proxy that was not refused knows too, within two seconds.
async fn metrics_show_it(scene: &Scene, proxy: &Proxy, refused: &Entry) -> anyhow::Result<()> {
    let labels = [("credential", LIMITED), ("state", "CoolingDown")];
    wait::until("the other proxy's metrics", LIMIT, || async {
        let metrics = scene.metrics(proxy).await.map_err(|error| error.to_string())?;
        match metrics.value("keypool_key_state", &labels) {
            Some(1.0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    let took = SystemTime::now().duration_since(after(refused))?;
    ensure!(took <= Duration::from_secs(2), "after {took:?}");
    Ok(())
}

/// From one request to the other, by the provider's clock.
fn pause(refused: &Entry, next: &Entry) -> Duration {
    Duration::from_secs_f64((next.at_ms - refused.at_ms) / 1000.0)
}

/// What the provider got with the key after it had refused it, probes too.
async fn used(fake: &Provider, refused: &Entry) -> anyhow::Result<Vec<Entry>> {
    let log = fake.requests(refused.seq).await?;
    Ok(log.into_iter().filter(|entry| entry.key == LIMITED).collect())
}

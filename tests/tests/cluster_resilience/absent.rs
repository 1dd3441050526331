use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use keypool_crds::v1alpha1::KeyState;
use keypool_fake_provider::{Entry, Key, KeyState as Standing};
use keypool_tests::product::{LIMIT, Member, Provider, Scene, Steady, all_answered, manifests, status};
use keypool_tests::ring::Test;
use keypool_tests::wait;
use keypool_tests::watcher::Watcher;

use crate::operators::Operators;

const KEYS: [&str; 3] = ["edited", "revoked", "kept"];
/// How long the API server is away.
const OUTAGE: Duration = Duration::from_secs(60);
/// From the operator's pod being Ready to everything in use and in the status.
const CAUGHT_UP: Duration = Duration::from_secs(5);

/// Without the operator, and then without an API server either, clients notice
/// nothing; what happened meanwhile is caught up with at once.
pub(crate) async fn cluster_without_operator(test: Test) -> anyhow::Result<()> {
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
    let fingerprint = status::key_now(&scene.providers(), "openai", "edited")
        .await?
        .fingerprint;

    let operators = Operators::new(&test)?;
    let replicas = operators.replicas().await?;
    let steady = Steady::start(&scene.caller("chat").await?);
    scene.keep_metrics().await?;
    operators.scale(0).await?;
    operators.gone().await?;

    let mark = fake.mark().await?;
    let value = scene.known().fresh("edited");
    fake.put_key(&Key::new("edited-new", &value)).await?;
    scene.write_secret("openai-keys", "edited", &value).await?;
    fake.set_key_state("revoked", Standing::Revoked).await?;
    let server = test.control_plane()?.api_server();
    server.kill();
    // The outage itself is what is asked for.
    tokio::time::sleep(OUTAGE).await;
    let during = fake.requests(mark).await?;
    server.restart()?;
    // Their own pauses after a minute without a server are not under test.
    test.control_plane()?
        .controller_manager()
        .context("no controllers")?
        .restart()?;
    test.node()?
        .component("kube-scheduler")
        .context("no scheduler")?
        .restart()?;

    let (providers, groups) = wait::until("the API server", LIMIT, || async {
        let providers = scene.watch_providers().await.map_err(|error| error.to_string())?;
        let groups = scene.watch_groups().await.map_err(|error| error.to_string())?;
        Ok::<_, String>((providers, groups))
    })
    .await?;
    operators.scale(replicas).await?;
    let ready = operators.ready(LIMIT).await?;
    old_values_served(&during)?;
    caught_up(&fake, mark, &providers, ready, fingerprint).await?;

    scene.serving("chat").await?;
    all_answered(&steady.stop().await?)?;
    quiet(&providers, &groups)?;
    scene.finish().await
}

/// The value that the proxies had is used to the end, the revoked key not any
/// more.
fn old_values_served(during: &[Entry]) -> anyhow::Result<()> {
    let count = |key: &str| {
        during
            .iter()
            .filter(|entry| entry.is_inference() && entry.key == key)
            .count()
    };
    let (half, total) = (during.len() / 2, during.len());
    let late = during[half..]
        .iter()
        .any(|entry| entry.is_inference() && entry.key == "edited");
    ensure!(late, "the old value was not used throughout {total} requests");
    ensure!(
        count("edited-new") == 0,
        "nobody could have rendered the new value"
    );
    // One request at a time per replica.
    let refused = during
        .iter()
        .filter(|entry| entry.is_inference() && entry.status == Some(401))
        .count();
    ensure!(refused <= 2, "{refused} requests on the revoked key");
    Ok(())
}

/// Both changes are in use and in the status in time.
async fn caught_up(
    fake: &Provider,
    mark: u64,
    providers: &Watcher,
    ready: Instant,
    fingerprint: Option<String>,
) -> anyhow::Result<()> {
    let edited = status::wait_for_key(providers, "openai", "edited", ready - CAUGHT_UP, LIMIT, |key| {
        key.fingerprint.is_some() && key.fingerprint != fingerprint
    });
    let revoked = status::wait_for_key(providers, "openai", "revoked", ready - CAUGHT_UP, LIMIT, |key| {
        key.state == KeyState::Invalid
    });
    let used = wait::until("the new value to be used", LIMIT, || async {
        let log = fake.requests(mark).await.map_err(|error| error.to_string())?;
        let by_new = |entry: &&Entry| entry.is_inference() && entry.key == "edited-new";
        let first = log.iter().find(by_new).map(|entry| entry.wall_ms);
        first.ok_or_else(|| format!("{} requests", log.len()))
    });
    let now = (
        Instant::now(),
        std::time::UNIX_EPOCH.elapsed().unwrap_or_default(),
    );
    let (edited, revoked, used) = futures::join!(edited, revoked, used);
    // The provider stamps by the wall clock.
    let since = Duration::from_millis(used?).saturating_sub(now.1) + now.0.saturating_duration_since(ready);
    for (what, after) in [
        ("the new fingerprint", edited?.at.saturating_duration_since(ready)),
        ("Invalid", revoked?.at.saturating_duration_since(ready)),
        ("the first use of the new value", since),
    ] {
        ensure!(
            after <= CAUGHT_UP,
            "{what} came {after:?} after the operator was Ready"
        );
    }
    Ok(())
}

/// Only what happened changed.
fn quiet(providers: &Watcher, groups: &Watcher) -> anyhow::Result<()> {
    let history = |key: &str| status::history(providers, "openai", key);
    ensure!(
        history("kept") == [KeyState::Healthy],
        "kept: {:?}",
        history("kept")
    );
    let revoked = history("revoked");
    ensure!(
        revoked.first() == Some(&KeyState::Healthy)
            && revoked.last() == Some(&KeyState::Invalid)
            && revoked.len() <= 3,
        "revoked: {revoked:?}"
    );
    let edited = history("edited");
    let expected = [KeyState::Healthy, KeyState::Unknown, KeyState::Healthy];
    ensure!(
        edited == expected || edited == expected[..1],
        "edited: {edited:?}"
    );
    let always = [
        (
            providers,
            "openai",
            &["Accepted", "ResolvedRefs", "EndpointHealthy", "Ready"][..],
        ),
        (
            groups,
            "chat",
            &["Accepted", "ResolvedRefs", "Available", "Ready"],
        ),
    ];
    for (watcher, name, types) in always {
        for type_ in types {
            let versions = watcher.versions(name);
            let mut conditions = versions.iter().filter_map(|seen| status::condition(seen, type_));
            let fallen = conditions.find(|condition| condition.status != "True");
            ensure!(fallen.is_none(), "{type_} of {name}: {fallen:?}");
        }
        ensure!(watcher.broken().is_empty(), "{:?}", watcher.broken());
    }
    // A key was rendered anew: that much may be waited for, and nothing else.
    let rollouts = groups.versions("chat");
    let mut rollouts = rollouts
        .iter()
        .filter_map(|seen| status::condition(seen, "Programmed"));
    let strange = rollouts
        .find(|programmed| programmed.status != "True" && programmed.reason != "AwaitingAcknowledgement");
    ensure!(strange.is_none(), "Programmed of chat: {strange:?}");
    let first = providers.versions("openai");
    first.first().context("no version of openai")?;
    Ok(())
}

use std::time::Duration;

use anyhow::{Context as _, ensure};
use keypool_fake_provider::Key;
use keypool_tests::node::{Block, Manner};
use keypool_tests::product::{LIMIT, Member, Scene, Steady, all_answered, manifests, status};
use keypool_tests::ring::Test;
use keypool_tests::wait;

/// The pods' port for the operator.
const EXCHANGE: u16 = 8443;
/// The kubelet looks at a mounted Secret about once a minute.
const REFRESH: Duration = Duration::from_secs(150);

/// With the exchange blocked a new value still arrives, by the volume; the
/// status says meanwhile whom the operator does not reach.
pub(crate) async fn cluster_volume_path(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let fake = scene.provider("openai").await?;
    let keys = scene.keys(&fake, &["team-a"]).await?;
    scene
        .apply(&[
            manifests::secret("openai-keys", &keys),
            manifests::provider("openai", &fake, &["team-a"]),
            manifests::group("chat", &[Member::new("a", "openai", "gpt-4.1")]),
        ])
        .await?;
    scene.healthy(&["openai"], "chat").await?;
    let caller = scene.caller("chat").await?;
    let proxies = scene.proxies("chat").await?;
    let proxy = proxies.first().context("no proxy")?;
    let process = proxy.process()?;
    let groups = scene.watch_groups().await?;
    let generation = generation(&scene).await?;

    let block = Block::new(None, proxy.address, EXCHANGE, Manner::Drop)?;
    let steady = Steady::start(&caller);
    let mark = fake.mark().await?;
    // Both values are good, so that only which one is used tells.
    let value = scene.known().fresh("team-a");
    fake.put_key(&Key::new("team-a-new", &value)).await?;
    scene.write_secret("openai-keys", "team-a", &value).await?;

    let seen = groups
        .wait_for("Programmed to say that the pod is not reached", LIMIT, |seen| {
            status::condition(seen, "Programmed").is_some_and(|condition| {
                condition.status == "False" && condition.reason == "AdminUnreachable"
            })
        })
        .await?;
    let message = status::condition(&seen, "Programmed")
        .context("no Programmed")?
        .message;
    ensure!(message.contains(&proxy.name), "the pod is not named: {message}");

    let fresh = || async {
        let log = fake.requests(mark).await.map_err(|error| error.to_string())?;
        let by_new =
            |entry: &&keypool_fake_provider::Entry| entry.is_inference() && entry.key == "team-a-new";
        log.iter()
            .find(by_new)
            .map(|_| ())
            .ok_or_else(|| format!("{} requests", log.len()))
    };
    wait::until("the new value to be used", REFRESH, fresh).await?;
    all_answered(&steady.stop().await?)?;

    // The whole way was the volume's: the exchange is still blocked, and what
    // it never acknowledged is not called programmed.
    let now = scene.load_balance_groups().get("chat").await?;
    let programmed = now.status.unwrap_or_default().conditions;
    let programmed = programmed
        .iter()
        .find(|condition| condition.type_ == "Programmed");
    ensure!(
        programmed.is_some_and(|condition| condition.status == "False"),
        "{programmed:?}"
    );
    ensure!(
        self::generation(&scene).await? > generation,
        "no new document was mounted"
    );

    drop(block);
    let until = std::time::Instant::now();
    groups
        .wait_for("Programmed again", LIMIT, |seen| {
            seen.at >= until
                && status::condition(seen, "Programmed").is_some_and(|condition| condition.status == "True")
        })
        .await?;
    ensure!(
        scene.proxies("chat").await?.first().map(|proxy| &proxy.uid) == Some(&proxy.uid),
        "another pod"
    );
    ensure!(proxy.process()? == process, "another process");
    scene.finish().await
}

/// The generation of the document that the one proxy runs.
async fn generation(scene: &Scene) -> anyhow::Result<f64> {
    let proxies = scene.proxies("chat").await?;
    let metrics = scene.metrics(proxies.first().context("no proxy")?).await?;
    metrics
        .value("keypool_config_generation", &[])
        .context("no generation in the metrics")
}

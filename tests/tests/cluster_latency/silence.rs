use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::jiff::Timestamp;
use keypool_tests::product::{Member, Scene, Steady, all_answered, manifests};
use keypool_tests::ring::Test;
use keypool_tests::wait;

use crate::writes;

const KEYS: [&str; 3] = ["team-a", "team-b", "team-c"];
/// How long to look, in seconds. Without it [`WINDOW`]; five minutes are what
/// the product promises: `KEYPOOL_TEST_SILENCE=300`.
const SECONDS: &str = "KEYPOOL_TEST_SILENCE";
/// Longer than the renewals of a Lease, the polls of an exchange and every
/// time by which something counts as silent or settled.
const WINDOW: Duration = Duration::from_secs(60);
/// By then nothing of the beginning is left to be told.
const SETTLED: Duration = Duration::from_secs(20);

/// While nothing changes, traffic alone makes the operator write nothing but
/// its Lease.
pub(crate) async fn cluster_steady_traffic_writes_nothing(test: Test) -> anyhow::Result<()> {
    let window = window()?;
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
    let traffic = Steady::start(&scene.caller("chat").await?);
    let quiet = || async {
        let recent =
            Timestamp::now() - k8s_openapi::jiff::SignedDuration::try_from(SETTLED).unwrap_or_default();
        match writes::since(&test, recent) {
            Ok(writes) if writes.is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    wait::until("the beginning to be over", 6 * SETTLED, quiet).await?;

    let begun = Timestamp::now();
    // The window itself is what is asked for.
    tokio::time::sleep(window).await;
    let written = writes::since(&test, begun)?;
    ensure!(written.is_empty(), "written while nothing changed: {written:#?}");
    let replies = traffic.stop().await?;
    all_answered(&replies)?;
    keypool_tests::say::line(format_args!(
        "{} requests, half streamed; in {window:?} of them nothing was written but Lease renewals",
        replies.len()
    ));
    scene.finish().await
}

fn window() -> anyhow::Result<Duration> {
    match std::env::var(SECONDS) {
        Ok(seconds) => {
            let seconds = seconds.parse().with_context(|| format!("{SECONDS}={seconds}"))?;
            Ok(Duration::from_secs(seconds))
        }
        Err(_) => Ok(WINDOW),
    }
}

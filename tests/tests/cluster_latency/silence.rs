use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::jiff::Timestamp;
use keypool_tests::product::{Member, Scene, all_answered, manifests};
use keypool_tests::ring::Test;
use keypool_tests::wait;

use crate::service::{Traffic, answering};
use crate::writes;

const KEYS: [&str; 3] = ["team-a", "team-b", "team-c"];
/// Longer than the renewals of a Lease, the polls of an exchange and every
/// time by which something counts as silent or settled.
const WINDOW: Duration = Duration::from_secs(60);
/// By then nothing of the beginning is left to be told.
const SETTLED: Duration = Duration::from_secs(20);

/// While nothing changes, traffic alone makes the operator write nothing but
/// its Lease.
pub(crate) async fn cluster_steady_traffic_writes_nothing(test: Test) -> anyhow::Result<()> {
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
    let traffic = Traffic::start(answering(scene.caller("chat").await?).await?, 2);
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
    tokio::time::sleep(WINDOW).await;
    let written = writes::since(&test, begun)?;
    ensure!(written.is_empty(), "written while nothing changed: {written:#?}");
    all_answered(&traffic.stop().await?)?;
    scene.finish().await
}

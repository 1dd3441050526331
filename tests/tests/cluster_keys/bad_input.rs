//! Everything that people get wrong: each mistake is told with the object, the
//! field and the remedy, and costs only what it is about.

#[path = "bad_input/deletion.rs"]
mod deletion;
#[path = "bad_input/groups.rs"]
mod groups;
#[path = "bad_input/providers.rs"]
mod providers;
#[path = "bad_input/refused.rs"]
mod refused;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use keypool_tests::product::{Scene, status};
use keypool_tests::ring::Test;
use keypool_tests::watcher::{Seen, Watcher};

/// The API server, the operator and a connect that times out.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn cluster_bad_input(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let fake = scene.provider("openai").await?;
    refused::manifests(&scene).await?;
    providers::mistakes(&scene, &fake).await?;
    groups::mistakes(&scene).await?;
    deletion::leaves_nothing(&scene, &fake).await?;
    scene.finish().await
}

/// A condition that is False, and what its message has to name.
struct Told<'a> {
    object: &'a str,
    condition: &'a str,
    reason: &'a str,
    names: &'a [&'a str],
}

impl Told<'_> {
    async fn wait(&self, watcher: &Watcher, since: Instant) -> anyhow::Result<()> {
        let (object, type_, reason) = (self.object, self.condition, self.reason);
        let what = format!("{type_} of {object} to be False/{reason}");
        let told = |seen: &Seen| {
            let condition = status::condition(seen, type_)?;
            (condition.status == "False" && condition.reason == reason).then_some(condition)
        };
        let seen =
            status::wait_for(watcher, &what, object, since, LIMIT, |seen| told(seen).is_some()).await?;
        let condition = told(&seen).context("no condition")?;
        for word in self.names {
            ensure!(
                condition.message.contains(word),
                "{object}: {type_} does not name {word}: {}",
                condition.message
            );
        }
        Ok(())
    }
}

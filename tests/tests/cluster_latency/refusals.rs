use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use k8s_openapi::jiff::Timestamp;
use keypool_crds::v1alpha1::KeyState;
use keypool_tests::product::bucket::{BURST, REFILL};
use keypool_tests::product::{LIMIT, Member, Provider, Scene, Steady, all_answered, manifests, status};
use keypool_tests::ring::Test;
use keypool_tests::wait;
use keypool_tests::watcher::Watcher;
use serde_json::json;

use crate::writes;

const PROVIDERS: usize = 25;
/// Keys of each provider that are refused, one in each round; one more stays.
const REFUSED: usize = 4;
/// Clients at the same time; each sends fifty requests a second. No streams: the
/// scan at the end looks for each of the many keys in everything they got.
const CLIENTS: usize = 3;
/// From the provider's refusal to the watch event that shows it. The median has
/// a ninth of it on this harness, so that load alone does not spend it; the
/// last of a hundred may be one that the machine held up: told, not judged.
const IN_TIME: Duration = Duration::from_secs(2);

/// A hundred keys are refused, spread over 25 providers, under load. Every
/// refusal shows in its provider's status in time, and no object is written
/// more often than its bucket gives.
pub(crate) async fn cluster_refusals_show_in_time(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let fake = scene.provider("openai").await?;
    let begun = Timestamp::now();
    let providers: Vec<String> = (0..PROVIDERS).map(|number| format!("p{number:02}")).collect();
    apply(&scene, &fake, &providers).await?;
    let names: Vec<&str> = providers.iter().map(String::as_str).collect();
    scene.healthy(&names, "chat").await?;

    let caller = scene.caller("chat").await?;
    let traffic: Vec<Steady> = (0..CLIENTS).map(|_| Steady::without_streams(&caller)).collect();
    let watcher = scene.watch_providers().await?;
    let mark = fake.mark().await?;
    for round in 0..REFUSED {
        for provider in &providers {
            let limited = json!({
                "match": {"key": key(provider, round), "path": "*/chat/completions"},
                "answer": {"error": "rate_limit_exceeded", "headers": {"retry-after": "600"}},
            });
            fake.add_rule(&serde_json::from_value(limited)?).await?;
        }
        shown(&watcher, &providers, round).await?;
        // The next round when the buckets have the writes of this one again.
        tokio::time::sleep(REFILL).await;
    }
    for traffic in traffic {
        all_answered(&traffic.stop().await?)?;
    }

    let mut delays = delays(&fake, mark, &watcher).await?;
    ensure!(delays.len() == PROVIDERS * REFUSED, "{} refusals", delays.len());
    delays.sort();
    let (median, p99, last) = (
        delays[delays.len() / 2],
        delays[delays.len() - 2],
        delays[delays.len() - 1],
    );
    let told = format!("refusal to watch event: median {median:?}, p99 {p99:?}, longest {last:?}");
    keypool_tests::say::line(format_args!("{told}"));
    ensure!(median <= IN_TIME, "{told}");
    in_bucket(&test, begun)?;
    ensure!(watcher.broken().is_empty(), "{:?}", watcher.broken());
    scene.finish().await
}

fn key(provider: &str, number: usize) -> String {
    format!("{provider}-k{number}")
}

async fn apply(scene: &Scene, fake: &Provider, providers: &[String]) -> anyhow::Result<()> {
    let names = |provider: &String| {
        (0..=REFUSED)
            .map(|number| key(provider, number))
            .collect::<Vec<_>>()
    };
    let all: Vec<String> = providers.iter().flat_map(names).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let keys = scene.keys(fake, &all).await?;
    let mut manifests = Vec::new();
    for (provider, keys) in providers.iter().zip(keys.chunks(REFUSED + 1)) {
        let names: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
        manifests.push(manifests::secret(&format!("{provider}-keys"), keys));
        manifests.push(manifests::provider(provider, fake, &names));
    }
    let members: Vec<Member<'_>> = providers
        .iter()
        .map(|provider| Member::new(provider, provider, "gpt-4.1"))
        .collect();
    manifests.push(manifests::group("chat", &members).at("/spec/proxy/replicas", 2));
    scene.apply(&manifests).await
}

/// Waits until every provider's key of this round is known to cool down.
async fn shown(watcher: &Watcher, providers: &[String], round: usize) -> anyhow::Result<()> {
    wait::until("the round's refusals to show", LIMIT, || async {
        let cooling = first_cooling(watcher);
        let missing: Vec<_> = providers
            .iter()
            .map(|provider| key(provider, round))
            .filter(|key| !cooling.contains_key(key))
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    })
    .await?;
    Ok(())
}

/// When the watch first showed each key to cool down, since 1970.
fn first_cooling(watcher: &Watcher) -> BTreeMap<String, Duration> {
    let mut first = BTreeMap::new();
    for seen in watcher.seen() {
        let at = seen.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        for key in status::provider(&seen).keys {
            if key.state == KeyState::CoolingDown {
                first.entry(key.name).or_insert(at);
            }
        }
    }
    first
}

/// For each refused key, from the provider's first refusal to the watch event.
async fn delays(fake: &Provider, mark: u64, watcher: &Watcher) -> anyhow::Result<Vec<Duration>> {
    let mut refused = BTreeMap::new();
    for entry in fake.requests(mark).await? {
        if entry.status == Some(429) {
            refused
                .entry(entry.key)
                .or_insert(Duration::from_millis(entry.wall_ms));
        }
    }
    let shown = first_cooling(watcher);
    refused
        .into_iter()
        .map(|(key, at)| {
            let shown = shown.get(&key).with_context(|| format!("{key} never showed"))?;
            Ok(shown.saturating_sub(at))
        })
        .collect()
}

/// No object was written more often than its bucket gives.
fn in_bucket(test: &Test, begun: Timestamp) -> anyhow::Result<()> {
    let writes = writes::since(test, begun)?;
    for kind in ["modelproviders", "loadbalancegroups"] {
        let times = writes::of_status(&writes, kind)?;
        let most = times.values().map(Vec::len).max().unwrap_or_default();
        keypool_tests::say::line(format_args!(
            "status writes of {kind}: at most {most} of one object"
        ));
        ensure!(!times.is_empty(), "no status of {kind} was written");
        for (name, times) in times {
            ensure!(fits_bucket(&times)?, "{kind} {name} was written at {times:?}");
        }
    }
    Ok(())
}

/// Whether no span of time, however short, holds more writes than a full bucket and what flowed in meanwhile. The server's
/// clock reads a write when it arrives: one more for what the way there took.
fn fits_bucket(times: &[Timestamp]) -> anyhow::Result<bool> {
    for (first, from) in times.iter().enumerate() {
        for (last, until) in times.iter().enumerate().skip(first) {
            let span = u64::try_from(until.duration_since(*from).as_secs())?;
            let refilled = usize::try_from(span / REFILL.as_secs())? + 1;
            if last - first + 1 > BURST + refilled {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

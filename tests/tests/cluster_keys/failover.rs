use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use keypool_crds::v1alpha1::{KeyState, KeyStatus};
use keypool_fake_provider::{Answer, CloseHow, ErrorKind, ListenerMode, ListenerName, Rule};
use keypool_tests::product::{
    Caller, Member, Provider, Reply, Scene, Steady, all_answered, manifests, status,
};
use keypool_tests::ring::Test;
use keypool_tests::wait;
use keypool_tests::watcher::{Seen, Watcher};
use serde_json::Value;

const FIRST: [(&str, &[&str]); 2] = [("openai", &["team-a", "team-b"]), ("vllm", &["vllm"])];
/// The fake provider's, at its Service.
const PORT: u16 = 8443;
const LIMIT: Duration = Duration::from_secs(40);

/// The backup serves while the first tier cannot, whatever the reason is, and
/// only then.
pub(crate) async fn cluster_failover_by_priority(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let first = scene.provider("first").await?;
    let second = scene.provider("second").await?;
    let keys = scene.keys(&first, &["team-a", "team-b", "vllm"]).await?;
    let backup = scene.keys(&second, &["backup"]).await?;
    let members = [
        Member::new("a", "openai", "gpt-4.1").weight(3),
        Member::new("b", "vllm", "llama-4-70b"),
        Member::new("backup", "backup", "qwen-3-32b").priority(1),
    ];
    let provider = |(name, keys): (&str, &[&str])| {
        manifests::provider(name, &first, keys).at("/spec/type", "OpenAICompatible")
    };
    scene
        .apply(&[
            manifests::secret("openai-keys", &keys),
            manifests::secret("vllm-keys", &keys),
            manifests::secret("backup-keys", &backup),
            provider(FIRST[0]),
            provider(FIRST[1]),
            manifests::provider("backup", &second, &["backup"]),
            manifests::group("chat", &members).at("/spec/proxy/replicas", 2),
        ])
        .await?;
    scene.healthy(&["openai", "vllm", "backup"], "chat").await?;
    let caller = scene.caller("chat").await?;
    let proxies = scene.proxies("chat").await?;
    ensure!(proxies.len() == 2, "{proxies:?}");
    // A connection through the Service reaches one of them; each is to find
    // out.
    let callers: Vec<Caller> = proxies.iter().map(|proxy| caller.to(&proxy.url())).collect();
    let watcher = scene.watch_providers().await?;

    for caller in &callers {
        all_answered(&served_by(caller, 20, |member| member != "backup").await?)?;
    }
    all_keys_limited(&first, &callers, &watcher).await?;
    all_connections_refused(&scene, &first, &callers, &watcher).await?;
    scene.finish().await
}

async fn all_keys_limited(first: &Provider, callers: &[Caller], watcher: &Watcher) -> anyhow::Result<()> {
    let begun = Instant::now();
    let limit = Answer::error(ErrorKind::RateLimitExceeded).header("retry-after", "12");
    first
        .add_rule(&Rule::new(limit).path("*/chat/completions").named("limited"))
        .await?;
    for caller in callers {
        // The first few find out; from then on nobody asks the first tier.
        all_answered(&caller.many(20, 1).await)?;
        all_answered(&served_by(caller, 40, |member| member == "backup").await?)?;
    }
    let cooling = |key: &KeyStatus| key.state == KeyState::CoolingDown;
    for (provider, keys) in FIRST {
        for key in keys {
            status::wait_for_key(watcher, provider, key, begun, LIMIT, cooling).await?;
        }
    }
    first.remove_rule("limited").await?;
    for caller in callers {
        back(caller, LIMIT).await?;
    }
    let healthy = |key: &KeyStatus| key.state == KeyState::Healthy;
    for (provider, keys) in FIRST {
        for key in keys {
            let cooled = status::wait_for_key(watcher, provider, key, begun, LIMIT, cooling).await?;
            status::wait_for_key(watcher, provider, key, cooled.at, LIMIT, healthy).await?;
        }
    }
    Ok(())
}

async fn all_connections_refused(
    scene: &Scene,
    first: &Provider,
    callers: &[Caller],
    watcher: &Watcher,
) -> anyhow::Result<()> {
    let (begun, mark) = (Instant::now(), first.mark().await?);
    first
        .set_listener(ListenerName::Https, ListenerMode::Refuse)
        .await?;
    first.close_connections(CloseHow::Close).await?;
    let proxies = scene.proxies("chat").await?;
    for proxy in &proxies {
        wait::until_value(
            "the connections to be closed",
            LIMIT,
            || async { proxy.connections(PORT) },
            |open| *open == 0,
        )
        .await?;
    }
    let pods = scene.watch_pods().await?;
    let traffic: Vec<Steady> = callers.iter().map(Steady::start).collect();
    for (provider, _) in FIRST {
        status::wait_for_condition(watcher, provider, "EndpointHealthy", "False", begun, LIMIT).await?;
    }
    for steady in traffic {
        let replies = steady.stop().await?;
        all_answered(&replies)?;
        ensure!(replies.iter().all(|reply| member(reply) == Some("backup")));
    }
    ensure!(
        first.requests(mark).await?.is_empty(),
        "the first tier was reached"
    );
    first
        .set_listener(ListenerName::Https, ListenerMode::Open)
        .await?;
    let opened = Instant::now();
    for caller in callers {
        back(caller, LIMIT).await?;
    }
    let traffic: Vec<Steady> = callers.iter().map(Steady::start).collect();
    for (provider, keys) in FIRST {
        status::wait_for_condition(watcher, provider, "EndpointHealthy", "True", opened, LIMIT).await?;
        let touched = |seen: &Seen| {
            seen.at >= begun
                && status::provider(seen)
                    .keys
                    .iter()
                    .any(|key| key.state != KeyState::Healthy)
        };
        let versions = watcher.versions(provider);
        ensure!(
            !versions.iter().any(touched),
            "keys of {provider} {keys:?} were touched"
        );
    }
    for steady in traffic {
        all_answered(&steady.stop().await?)?;
    }
    let now = scene.proxies("chat").await?;
    ensure!(now == proxies, "{now:?} is not {proxies:?}");
    let unready: Vec<_> = pods.seen().into_iter().filter(|pod| !is_ready(pod)).collect();
    ensure!(unready.is_empty(), "not Ready all the time: {unready:?}");
    for watcher in [&pods, watcher] {
        ensure!(watcher.broken().is_empty(), "{:?}", watcher.broken());
    }
    Ok(())
}

fn is_ready(pod: &Seen) -> bool {
    let conditions = pod.at_path("/status/conditions").and_then(Value::as_array);
    let is_true = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    conditions.is_some_and(|conditions| conditions.iter().any(is_true))
}

fn member(reply: &Result<Reply, reqwest::Error>) -> Option<&str> {
    reply.as_ref().ok()?.header("x-keypool-member")
}

/// Requests one after the other, all answered by members that are wanted.
async fn served_by(
    caller: &Caller,
    count: usize,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<Result<Reply, reqwest::Error>>> {
    let replies = caller.many(count, 1).await;
    let strange: Vec<_> = replies
        .iter()
        .map(member)
        .filter(|name| !name.is_some_and(&wanted))
        .collect();
    ensure!(strange.is_empty(), "served by {strange:?}");
    Ok(replies)
}

/// Requests one after the other until the whole first tier and nobody else
/// serves them, none of which fails.
async fn back(caller: &Caller, limit: Duration) -> anyhow::Result<()> {
    wait::until("the first tier to serve again", limit, || async {
        let replies = caller.many(10, 1).await;
        if let Err(error) = all_answered(&replies) {
            return Ok(Err(error));
        }
        let names: Vec<_> = replies.iter().filter_map(member).collect();
        match names.contains(&"backup") || !names.contains(&"a") || !names.contains(&"b") {
            true => Err(format!("{names:?}")),
            false => Ok(Ok(())),
        }
    })
    .await?
    .context("while the first tier came back")
}

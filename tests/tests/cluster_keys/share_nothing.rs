use std::time::{Duration, Instant};

use anyhow::ensure;
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus};
use keypool_fake_provider::{Answer, ErrorKind, Rule};
use keypool_tests::product::{Member, Provider, Scene, all_answered, manifests, status};
use keypool_tests::ring::Test;
use keypool_tests::watcher::Watcher;

const KEY: &str = "team-a";
const LIMIT: Duration = Duration::from_secs(30);

/// A provider's keys are its own: neither the same value in another provider,
/// whose address is wrong, nor the same quota group in another namespace
/// touches them.
pub(crate) async fn cluster_providers_share_nothing(test: Test) -> anyhow::Result<()> {
    let scene = Scene::set(&test).await?;
    let fake = scene.provider("right").await?;
    let wrong = scene.provider("wrong").await?;
    let keys = scene.keys(&fake, &[KEY]).await?;
    // It does not know the key: what a server at a wrong address says.
    scene.keys(&wrong, &["other"]).await?;
    let quota_group = "/spec/credentials/0/quotaGroup";
    let same_secret = "/spec/credentials/0/secretKeyRef/name";
    let nobody = format!("https://{}:1/v1", wrong.host());
    let member = |name, provider| Member::new(name, provider, "gpt-4.1");
    scene
        .apply(&[
            manifests::secret("openai-keys", &keys),
            manifests::provider("openai", &fake, &[KEY]).at(quota_group, "org"),
            manifests::provider("wrong", &wrong, &[KEY]).at(same_secret, "openai-keys"),
            manifests::provider("nobody", &wrong, &[KEY])
                .at(same_secret, "openai-keys")
                .at("/spec/endpoint/url", nobody)
                .at(quota_group, "org"),
            manifests::group("chat", &[member("a", "openai")]),
            manifests::group(
                "mixed",
                &[member("a", "openai"), member("b", "wrong"), member("c", "nobody")],
            ),
        ])
        .await?;
    scene.healthy(&["openai"], "chat").await?;
    scene.serving("mixed").await?;
    let watcher = scene.watch_providers().await?;
    let mark = fake.mark().await?;

    same_value(&scene, &watcher).await?;
    same_quota_group(&scene, &fake).await?;

    let caller = scene.caller("chat").await?;
    all_answered(&caller.many(40, 2).await)?;
    let log = fake.requests(mark).await?;
    let refused = log
        .iter()
        .filter(|entry| entry.key == KEY && entry.status != Some(200));
    ensure!(refused.count() == 0, "the first provider refused its key");
    let history = status::history(&watcher, "openai", KEY);
    ensure!(
        history == [KeyState::Healthy],
        "the first provider's key was {history:?}"
    );
    ensure!(watcher.broken().is_empty(), "{:?}", watcher.broken());
    for group in ["chat", "mixed"] {
        for proxy in scene.proxies(group).await? {
            let labels = [("provider", "openai"), ("credential", KEY), ("state", "Healthy")];
            let metrics = scene.metrics(&proxy).await?;
            let state = metrics.value("keypool_key_state", &labels);
            ensure!(state == Some(1.0), "{group}: {state:?} in {}", metrics.text());
        }
    }
    scene.finish().await
}

/// One value in three providers of one group: two of them fail with it.
async fn same_value(scene: &Scene, watcher: &Watcher) -> anyhow::Result<()> {
    let begun = Instant::now();
    let caller = scene.caller("mixed").await?;
    all_answered(&caller.many(40, 1).await)?;
    let invalid = |key: &KeyStatus| key.state == KeyState::Invalid;
    status::wait_for_key(watcher, "wrong", KEY, begun - LIMIT, LIMIT, invalid).await?;
    status::wait_for_condition(
        watcher,
        "nobody",
        "EndpointHealthy",
        "False",
        begun - LIMIT,
        LIMIT,
    )
    .await?;
    all_answered(&caller.many(40, 1).await)
}

/// The same names and the same quota group in another namespace, and another
/// key, which is limited there.
async fn same_quota_group(scene: &Scene, fake: &Provider) -> anyhow::Result<()> {
    let namespace = format!("{}-b", scene.test().namespace());
    scene.test().create_namespace(&namespace, &[]).await?;
    let value = scene.known().fresh("elsewhere");
    fake.put_key(&keypool_fake_provider::Key::new("elsewhere", &value))
        .await?;
    let kubectl = scene.test().kubectl_in(&namespace)?;
    let ca = manifests::Manifest(serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": manifests::ca(fake)}, "data": {"ca.crt": fake.ca_pem().await?},
    }));
    let all = [
        ca,
        manifests::secret("openai-keys", &[(KEY.to_owned(), value)]),
        manifests::provider("openai", fake, &[KEY]).at("/spec/credentials/0/quotaGroup", "org"),
        manifests::group("chat", &[Member::new("a", "openai", "gpt-4.1")]),
    ];
    let watcher = status::watch_providers(scene.test().client(), &namespace).await?;
    let begun = Instant::now();
    kubectl.apply(&manifests::text(&all)).await?;
    let healthy = |key: &KeyStatus| key.state == KeyState::Healthy;
    status::wait_for_key(
        &watcher,
        "openai",
        KEY,
        begun,
        keypool_tests::product::LIMIT,
        healthy,
    )
    .await?;

    let answer = Answer::error(ErrorKind::RateLimitExceeded).header("retry-after", "600");
    fake.add_rule(&Rule::new(answer).key("elsewhere")).await?;
    let begun = Instant::now();
    let url = format!("http://chat-keypool.{namespace}.svc.cluster.local");
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(scene.test().client(), &namespace);
    let client = secrets.get("chat-client").await?.data.unwrap_or_default();
    let key = client
        .get("OPENAI_API_KEY")
        .map(|value| String::from_utf8_lossy(&value.0).into_owned());
    let key = key.unwrap_or_default();
    scene.known().keep("client elsewhere", &key);
    let there = scene.caller("chat").await?.to(&url).with_key(&key);
    let cooling =
        |key: &KeyStatus| key.state == KeyState::CoolingDown && key.reason == KeyReason::RateLimited;
    keypool_tests::wait::until("the other namespace's answer", LIMIT, || async {
        let reply = there.chat("hello").await.map_err(|error| error.to_string())?;
        match reply.status {
            429 => Ok(()),
            status => Err(format!("{status}: {}", reply.text())),
        }
    })
    .await?;
    status::wait_for_key(&watcher, "openai", KEY, begun, LIMIT, cooling).await?;
    Ok(())
}

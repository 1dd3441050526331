use std::time::Instant;

use anyhow::{Context as _, ensure};
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus};
use keypool_fake_provider::{Key, sha256_hex};
use keypool_tests::product::{Manifest, Member, Provider, Scene, all_answered, manifests, status};
use keypool_tests::watcher::Watcher;
use serde_json::json;

use super::{LIMIT, Told};

/// Name of a provider, of its Secret (`<name>-keys`) and of the wrong key.
const KEYS: [(&str, KeyState, KeyReason); 5] = [
    ("no-secret", KeyState::Missing, KeyReason::SecretNotFound),
    ("no-data-key", KeyState::Missing, KeyReason::SecretKeyNotFound),
    ("empty", KeyState::Malformed, KeyReason::Empty),
    ("two-lines", KeyState::Malformed, KeyReason::NotAHeaderValue),
    ("elsewhere", KeyState::Missing, KeyReason::HostNotAllowed),
];

const TOLD_OF_KEYS: [Told<'_>; 6] = [
    Told {
        object: "no-secret",
        condition: "ResolvedRefs",
        reason: "SecretNotFound",
        names: &["credentials[key].secretKeyRef", "no-secret-keys", "create it"],
    },
    Told {
        object: "no-data-key",
        condition: "ResolvedRefs",
        reason: "SecretKeyNotFound",
        names: &[
            "credentials[key].secretKeyRef",
            "no-data-key-keys",
            "no key key",
            "add it",
        ],
    },
    Told {
        object: "empty",
        condition: "ResolvedRefs",
        reason: "MalformedValue",
        names: &[
            "credentials[key].secretKeyRef",
            "empty-keys",
            "is empty",
            "put the value in",
        ],
    },
    Told {
        object: "two-lines",
        condition: "ResolvedRefs",
        reason: "MalformedValue",
        names: &[
            "credentials[key].secretKeyRef",
            "two-lines-keys",
            "store the bare key",
        ],
    },
    Told {
        object: "elsewhere",
        condition: "ResolvedRefs",
        reason: "HostNotAllowed",
        names: &[
            "credentials[key].secretKeyRef",
            "elsewhere-keys",
            "keypool.dev/allowed-hosts",
            "add the host",
        ],
    },
    Told {
        object: "no-authority",
        condition: "ResolvedRefs",
        reason: "ConfigMapNotFound",
        names: &["endpoint.caBundleRef", "nowhere-ca", "create it"],
    },
];

const TOLD_OF_ENDPOINTS: [Told<'_>; 3] = [
    Told {
        object: "unreachable",
        condition: "EndpointHealthy",
        reason: "Refused",
        names: &[":1;", "check endpoint.url"],
    },
    Told {
        object: "no-name",
        condition: "EndpointHealthy",
        reason: "DnsFailed",
        names: &["nowhere.example.invalid", "check endpoint.url"],
    },
    Told {
        object: "wrong-authority",
        condition: "EndpointHealthy",
        reason: "TlsInvalid",
        names: &[":8443", "check", "endpoint.caBundleRef"],
    },
];

/// One good provider and one for each mistake, in two groups: whose keys are
/// wrong costs no attempt, whose endpoint is wrong costs one.
pub(super) async fn mistakes(scene: &Scene, fake: &Provider) -> anyhow::Result<()> {
    let keys = scene.keys(fake, &["key"]).await?;
    let good = scene.known().value("key");
    // A file that an editor ended with a newline, as kubectl's --from-file
    // makes it.
    let newline = scene.known().fresh("newline");
    fake.put_key(&Key::new("newline", &newline)).await?;
    let broken = scene.known().fresh("two-lines");
    let watcher = scene.watch_providers().await?;
    let begun = Instant::now();
    let value = |name: &str, value: &str| secret(name, &[("key".to_owned(), value.to_owned())]);
    scene
        .apply(&[
            secret("good", &keys),
            value("newline", &format!("{newline}\n")),
            secret("no-data-key", &[("other".to_owned(), good.clone())]),
            value("empty", ""),
            value("two-lines", &format!("{broken}\n{broken}")),
            value("elsewhere", &good).at(
                "/metadata/annotations",
                json!({"keypool.dev/allowed-hosts": "api.openai.com"}),
            ),
            other_authority(scene)?,
        ])
        .await?;
    let providers = ["good", "newline"].into_iter().chain(KEYS.map(|(name, ..)| name));
    let mut all: Vec<Manifest> = providers
        .map(|name| manifests::provider(name, fake, &["key"]))
        .collect();
    all.extend(bad_endpoints(fake));
    all.push(group(
        "chat",
        &[
            "good",
            "newline",
            "no-secret",
            "no-data-key",
            "empty",
            "two-lines",
            "elsewhere",
            "no-authority",
        ],
    ));
    all.push(
        group(
            "endpoints",
            &["good", "unreachable", "no-name", "wrong-authority"],
        )
        .at("/spec/retry/attempts", 4),
    );
    scene.apply(&all).await?;
    scene.healthy(&["good", "newline"], "chat").await?;
    scene.serving("endpoints").await?;

    for told in TOLD_OF_KEYS {
        told.wait(&watcher, begun).await?;
    }
    for (provider, state, reason) in KEYS {
        let as_told = |key: &KeyStatus| key.state == state && key.reason == reason;
        status::wait_for_key(&watcher, provider, "key", begun, LIMIT, as_told).await?;
    }
    the_rest_serves(scene, fake).await?;
    for told in TOLD_OF_ENDPOINTS {
        told.wait(&watcher, begun).await?;
        let history = status::history(&watcher, told.object, "key");
        ensure!(history == [KeyState::Unknown], "{}: {history:?}", told.object);
    }
    remedy_works(scene, fake, &watcher).await
}

fn secret(provider: &str, values: &[(String, String)]) -> Manifest {
    manifests::secret(&format!("{provider}-keys"), values)
}

fn group(name: &str, providers: &[&str]) -> Manifest {
    let members: Vec<Member<'_>> = providers
        .iter()
        .map(|provider| Member::new(provider, provider, "gpt-4.1"))
        .collect();
    manifests::group(name, &members)
}

/// They have the good provider's key.
fn bad_endpoints(fake: &Provider) -> Vec<Manifest> {
    let url = "/spec/endpoint/url";
    let authority = "/spec/endpoint/caBundleRef/name";
    let with_good_key = |name: &str, pointer: &str, value: String| {
        manifests::provider(name, fake, &["key"])
            .at("/spec/credentials/0/secretKeyRef/name", "good-keys")
            .at(pointer, value)
    };
    vec![
        with_good_key("unreachable", url, format!("https://{}:1/v1", fake.host())),
        with_good_key("no-name", url, "https://nowhere.example.invalid/v1".to_owned()),
        with_good_key("wrong-authority", authority, "other-ca".to_owned()),
        with_good_key("no-authority", authority, "nowhere-ca".to_owned()),
    ]
}

/// A ConfigMap with the certificate of an authority that signed nothing here:
/// the cluster's.
fn other_authority(scene: &Scene) -> anyhow::Result<Manifest> {
    let path = scene.test().control_plane()?.authority.certificate();
    let certificate = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(Manifest(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "other-ca"},
        "data": {"ca.crt": certificate},
    })))
}

/// Every request to either group is answered, with keys as they were meant.
async fn the_rest_serves(scene: &Scene, fake: &Provider) -> anyhow::Result<()> {
    let mark = fake.mark().await?;
    for group in ["chat", "endpoints"] {
        let caller = scene.caller(group).await?;
        all_answered(&caller.many(40, 1).await)?;
    }
    let log = fake.requests(mark).await?;
    let with = |name: &str| {
        let digest = sha256_hex(scene.known().value(name).as_bytes());
        log.iter()
            .filter(|entry| entry.is_inference() && entry.key_sha256 == digest)
            .count()
    };
    ensure!(
        with("newline").abs_diff(20) <= 2,
        "{} with the key that ends in a newline",
        with("newline")
    );
    ensure!(with("key") + with("newline") == 80, "others were used");
    Ok(())
}

/// What the messages advise helps.
async fn remedy_works(scene: &Scene, fake: &Provider, watcher: &Watcher) -> anyhow::Result<()> {
    let value = scene.known().fresh("created");
    fake.put_key(&Key::new("created", &value)).await?;
    let begun = Instant::now();
    scene
        .apply(&[secret("no-secret", &[("key".to_owned(), value)])])
        .await?;
    let healthy = |key: &KeyStatus| key.state == KeyState::Healthy;
    status::wait_for_key(watcher, "no-secret", "key", begun, LIMIT, healthy).await?;
    status::wait_for_condition(watcher, "no-secret", "ResolvedRefs", "True", begun, LIMIT).await?;
    Ok(())
}

use std::time::Instant;

use anyhow::ensure;
use k8s_openapi::api::core::v1::Secret;
use keypool_tests::product::{Member, Scene, all_answered, manifests};
use keypool_tests::wait;
use serde_json::json;

use super::{LIMIT, Told};

const TOLD: [Told<'_>; 3] = [
    Told {
        object: "ghost",
        condition: "ResolvedRefs",
        reason: "ProviderNotFound",
        names: &["nobody", "create it", "providerRef"],
    },
    Told {
        object: "unusable",
        condition: "Available",
        reason: "NoUsableTargets",
        names: &[
            "empty: no key of ModelProvider empty",
            "KeysHealthy says what to mend",
        ],
    },
    Told {
        object: "taken",
        condition: "Accepted",
        reason: "NameConflict",
        names: &["Secret", "taken-client", "delete it"],
    },
];

/// A member without a provider, a group without a usable member, and a group
/// whose client Secret is somebody else's.
pub(super) async fn mistakes(scene: &Scene) -> anyhow::Result<()> {
    let watcher = scene.watch_groups().await?;
    let app = scene.known().fresh("app");
    let foreign = scene.known().fresh("foreign");
    let good = Member::new("good", "good", "gpt-4.1");
    let begun = Instant::now();
    scene
        .apply(&[
            manifests::secret("taken-client", &[("OPENAI_API_KEY".to_owned(), foreign.clone())]),
            manifests::secret("app", &[("key".to_owned(), app.clone())]),
            manifests::group("ghost", &[good, Member::new("gone", "nobody", "gpt-4.1")]),
            manifests::group("unusable", &[Member::new("empty", "empty", "gpt-4.1")]),
            manifests::group("taken", &[good]).at(
                "/spec/clientAccess/keys",
                json!([{"name": "app", "secretKeyRef": {"name": "app", "key": "key"}}]),
            ),
        ])
        .await?;
    for told in TOLD {
        told.wait(&watcher, begun).await?;
    }

    // The good part of each serves.
    scene.serving("ghost").await?;
    let caller = scene.caller("ghost").await?;
    all_answered(&caller.many(20, 1).await)?;
    let url = |group: &str| {
        format!(
            "http://{group}-keypool.{}.svc.cluster.local",
            scene.test().namespace()
        )
    };
    let of_taken = caller.to(&url("taken")).with_key(&app).for_model("taken");
    wait::until("the group with a foreign client Secret", LIMIT, || async {
        match of_taken.chat("hello").await {
            Ok(reply) if reply.is_answer() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    scene.reachable("unusable").await?;
    let unusable = scene.caller("unusable").await?;
    let reply = unusable.chat("hello").await?;
    let error = reply.json();
    ensure!(
        reply.status == 503 && error["error"]["code"] == "no_usable_key",
        "{}: {error}",
        reply.status
    );
    ensure!(
        reply.header("x-should-retry") == Some("false"),
        "{:?}",
        reply.headers
    );

    let secret = scene.test().api::<Secret>().get("taken-client").await?;
    let value = secret.data.unwrap_or_default().remove("OPENAI_API_KEY");
    ensure!(
        value.is_some_and(|value| value.0 == foreign.into_bytes()),
        "the foreign Secret was changed"
    );
    ensure!(
        secret.metadata.owner_references.is_none(),
        "the foreign Secret was adopted"
    );
    Ok(())
}

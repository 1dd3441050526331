//! The definitions on a real API server: what it takes, refuses, fills in and prints.

#[path = "admit/cases.rs"]
mod cases;
#[path = "admit/definitions.rs"]
mod definitions;
#[path = "admit_definitions/shown.rs"]
mod shown;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::autoscaling::v1::Scale;
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus, LoadBalanceGroup, ModelProvider};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::discovery::ApiResource;
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use cases::cases;
use definitions::install;
use keypool_tests::ring::Test;
use shown::{columns_are_as_promised, every_field_is_explained};

keypool_tests::ring!(
    Api: bad_manifests_are_refused_with_a_remedy, good_manifests_are_taken, defaults_appear, a_new_object_waits_for_the_operator,
    managers_share_lists_by_name, the_group_scales, every_field_is_explained, columns_are_as_promised, a_full_status_fits,
    no_plain_patch_changes_the_status
);

fn resource(kind: &str) -> ApiResource {
    match kind {
        "ModelProvider" => ApiResource::erase::<ModelProvider>(&()),
        _ => ApiResource::erase::<LoadBalanceGroup>(&()),
    }
}

/// As `kubectl apply --dry-run=server` asks, which is strict about unknown fields.
async fn try_create(test: &Test, object: &Value) -> anyhow::Result<Result<DynamicObject, kube::Error>> {
    let kind = resource(object["kind"].as_str().unwrap_or_default());
    let path = DynamicObject::url_path(&kind, Some(test.namespace()));
    let request = http::Request::post(format!("{path}?dryRun=All&fieldValidation=Strict"))
        .header("content-type", "application/json")
        .body(object.to_string().into_bytes())?;
    Ok(test.client().request(request).await)
}

async fn bad_manifests_are_refused_with_a_remedy(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    let mut wrong = Vec::new();
    for case in cases("refused.yaml")? {
        match try_create(&test, &case.object()).await? {
            Err(kube::Error::Api(status)) if status.message.contains(&case.message) => {}
            other => wrong.push(format!(
                "{}\n  wanted {}\n  got    {other:?}",
                case.object(),
                case.message
            )),
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

async fn good_manifests_are_taken(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    for case in cases("accepted.yaml")? {
        let object = case.object();
        try_create(&test, &object)
            .await?
            .with_context(|| object.to_string())?;
    }
    for file in ["secrets", "providers", "group"] {
        let manifest = definitions::read(&format!("examples/quickstart/{file}.yaml"))?;
        test.kubectl()?.apply(&manifest).await?;
    }
    Ok(())
}

fn group(name: &str) -> Value {
    json!({
        "apiVersion": "keypool.dev/v1alpha1",
        "kind": "LoadBalanceGroup",
        "metadata": { "name": name },
        "spec": { "members": [{ "name": "a", "providerRef": { "name": "p" }, "model": "m" }] },
    })
}

fn provider(name: &str, credentials: &[&str]) -> Value {
    let credential = |name: &&str| json!({ "name": name, "secretKeyRef": { "name": "s", "key": name } });
    json!({
        "apiVersion": "keypool.dev/v1alpha1",
        "kind": "ModelProvider",
        "metadata": { "name": name },
        "spec": { "type": "OpenAI", "credentials": credentials.iter().map(credential).collect::<Vec<_>>() },
    })
}

async fn create(test: &Test, object: &Value) -> anyhow::Result<DynamicObject> {
    let kind = resource(object["kind"].as_str().unwrap_or_default());
    let api: Api<DynamicObject> = Api::namespaced_with(test.client(), test.namespace(), &kind);
    Ok(api
        .create(&PostParams::default(), &serde_json::from_value(object.clone())?)
        .await?)
}

async fn defaults_appear(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    let created = create(&test, &group("chat")).await?;
    let spec = &created.data["spec"];
    ensure!(
        spec["strategy"] == json!({ "type": "WeightedRoundRobin" }),
        "{spec}"
    );
    ensure!(spec["proxy"] == json!({ "replicas": 2 }), "{spec}");
    ensure!(spec["unknownModel"] == "Reject", "{spec}");
    ensure!(
        spec["members"][0]["weight"] == 1 && spec["members"][0]["priority"] == 0,
        "{spec}"
    );
    // A default of an object would be stored with every leaf in it, and could never change.
    ensure!(
        spec.get("retry").is_none() && spec.get("clientAccess").is_none(),
        "{spec}"
    );

    // Helm likes to write explicit nulls: they are as if left out.
    let mut nulls = provider("nulls", &["a"]);
    nulls["spec"]["endpoint"] = Value::Null;
    nulls["spec"]["credentials"][0]["weight"] = Value::Null;
    nulls["spec"]["timeouts"] = json!({ "connect": null });
    let created = create(&test, &nulls).await?;
    let spec = &created.data["spec"];
    ensure!(
        spec["credentials"][0]["weight"] == 1 && spec["credentials"][0]["state"] == "Active",
        "{spec}"
    );
    ensure!(
        spec["timeouts"]["connect"] == "5s" && spec.get("endpoint").is_none(),
        "{spec}"
    );
    Ok(())
}

async fn a_new_object_waits_for_the_operator(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    create(&test, &group("chat")).await?;
    create(&test, &provider("openai", &["a"])).await?;
    let group = test.api::<LoadBalanceGroup>().get("chat").await?;
    let conditions = group.status.context("no status")?.conditions;
    let told: Vec<_> = conditions
        .iter()
        .map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str()))
        .collect();
    let types = [
        "Accepted",
        "ResolvedRefs",
        "Programmed",
        "Available",
        "MembersHealthy",
        "Ready",
    ];
    ensure!(
        told == types.map(|type_| (type_, "Unknown", "Pending")),
        "{told:?}"
    );
    let ready = [
        "wait",
        "--for=condition=Ready",
        "--timeout=0",
        "modelprovider/openai",
    ];
    ensure!(
        !test.kubectl()?.try_run(&ready, "").await?.status.success(),
        "it must not be ready yet"
    );
    Ok(())
}

async fn managers_share_lists_by_name(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    let api: Api<ModelProvider> = test.api();
    let apply = async |manager: &str, credentials: &[&str]| {
        let params = PatchParams::apply(manager);
        api.patch("openai", &params, &Patch::Apply(&provider("openai", credentials)))
            .await
    };
    apply("platform", &["a", "b"]).await?;
    apply("team", &["c"]).await?;
    let names = async || {
        let credentials = api.get("openai").await?.spec.credentials;
        Ok::<_, kube::Error>(
            credentials
                .into_iter()
                .map(|credential| credential.name)
                .collect::<Vec<_>>(),
        )
    };
    ensure!(names().await? == ["a", "b", "c"], "{:?}", names().await?);
    apply("platform", &["b"]).await?;
    ensure!(names().await? == ["b", "c"], "{:?}", names().await?);
    Ok(())
}

async fn the_group_scales(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    create(&test, &group("chat")).await?;
    let api: Api<LoadBalanceGroup> = test.api();
    let status =
        json!({ "status": { "replicas": 2, "readyReplicas": 1, "selector": "keypool.dev/group=chat" } });
    api.patch_status("chat", &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    test.kubectl()?
        .run(&["scale", "lbg/chat", "--replicas=5"])
        .await?;
    let scale: Scale = api.get_scale("chat").await?;
    let (spec, status) = (scale.spec.context("no spec")?, scale.status.context("no status")?);
    ensure!(spec.replicas == Some(5), "{spec:?}");
    ensure!(
        status.replicas == 2 && status.selector.as_deref() == Some("keypool.dev/group=chat"),
        "{status:?}"
    );
    ensure!(api.get("chat").await?.spec.proxy.replicas == 5);
    Ok(())
}

/// The API server refuses a whole status for one list that is too long, and people would see old news.
async fn a_full_status_fits(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    create(&test, &provider("openai", &["a"])).await?;
    let api: Api<ModelProvider> = test.api();
    let key = |number: usize| KeyStatus {
        name: format!("{number:0>63}"),
        state: KeyState::CoolingDown,
        reason: KeyReason::RateLimited,
        since: None,
        until: None,
        fingerprint: Some("7f3a91c2".into()),
        quota_group: Some("o".repeat(63)),
        models: Vec::new(),
        more_models: Some(3),
    };
    let with_keys = |count: usize| json!({ "status": { "keys": (0..count).map(key).collect::<Vec<_>>() } });
    let written = api
        .patch_status("openai", &PatchParams::default(), &Patch::Merge(with_keys(256)))
        .await?;
    ensure!(written.status.context("no status")?.keys.len() == 256);
    let refused = api
        .patch_status("openai", &PatchParams::default(), &Patch::Merge(with_keys(257)))
        .await;
    ensure!(
        matches!(&refused, Err(kube::Error::Api(status)) if status.code == 422),
        "{refused:?}"
    );
    Ok(())
}

async fn no_plain_patch_changes_the_status(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    let created = create(&test, &provider("openai", &["a"])).await?;
    let api: Api<ModelProvider> = test.api();
    let patch = json!({ "status": { "keySummary": { "total": 7 } }, "metadata": { "labels": { "a": "b" } } });
    let patched = api
        .patch("openai", &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    ensure!(patched.status.context("no status")?.key_summary.is_none());
    let status = json!({ "status": { "observedGeneration": 1 }, "spec": { "type": "OpenAICompatible" } });
    let patched = api
        .patch_status("openai", &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    ensure!(
        patched.meta().generation == created.metadata.generation,
        "a status is no new generation"
    );
    ensure!(patched.name_any() == "openai" && patched.spec.type_.as_str() == "OpenAI");
    Ok(())
}

//! The control plane of the harness is a real one: objects are stored, owned
//! objects are collected, requests are audited, and a stopped API server
//! comes back with everything.

use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::discovery::ApiResource;
use kube::{Api, Resource as _, ResourceExt as _};

use keypool_tests::ring::Test;
use keypool_tests::wait;
use keypool_tests::watcher::{Change, Watcher};

keypool_tests::ring!(
    Controllers: owned_objects_are_collected, requests_are_audited, watcher_sees_every_version, kubectl_runs;
    alone: api_server_comes_back
);

const LIMIT: Duration = Duration::from_secs(30);

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..Default::default()
        },
        ..Default::default()
    }
}

async fn owned_objects_are_collected(test: Test) -> anyhow::Result<()> {
    let api: Api<ConfigMap> = test.api();
    let owner = api.create(&PostParams::default(), &config_map("owner")).await?;
    let mut owned = config_map("owned");
    owned.metadata.owner_references = owner.controller_owner_ref(&()).map(|reference| vec![reference]);
    api.create(&PostParams::default(), &owned).await?;

    api.delete("owner", &DeleteParams::default()).await?;
    let names = || async {
        let list = api.list(&Default::default()).await?;
        Ok::<_, kube::Error>(list.iter().map(|item| item.name_any()).collect::<Vec<_>>())
    };
    wait::until_value("the owned object to go", LIMIT, names, |names| {
        !names.iter().any(|name| name == "owned")
    })
    .await?;
    Ok(())
}

async fn requests_are_audited(test: Test) -> anyhow::Result<()> {
    let api: Api<ConfigMap> = test.api();
    api.create(&PostParams::default(), &config_map("audited")).await?;
    let log = std::fs::read_to_string(test.control_plane()?.audit_log())?;
    let found = log.lines().any(|line| {
        line.contains(r#""verb":"create""#)
            && line.contains(test.namespace())
            && line.contains(r#""name":"audited""#)
    });
    ensure!(found, "no line about the object");
    Ok(())
}

async fn watcher_sees_every_version(test: Test) -> anyhow::Result<()> {
    let api: Api<ConfigMap> = test.api();
    api.create(&PostParams::default(), &config_map("before")).await?;
    let kind = ApiResource::erase::<ConfigMap>(&());
    let watcher = Watcher::start(Api::<DynamicObject>::namespaced_with(
        test.client(),
        test.namespace(),
        &kind,
    ))
    .await?;
    api.create(&PostParams::default(), &config_map("after")).await?;
    for round in ["1", "2", "3"] {
        let patch = serde_json::json!({"data": {"round": round}});
        api.patch("after", &PatchParams::default(), &Patch::Merge(patch))
            .await?;
    }
    api.delete("after", &DeleteParams::default()).await?;
    watcher
        .wait_for("the deletion", LIMIT, |seen| {
            seen.name() == "after" && seen.change == Change::Deleted
        })
        .await?;

    let rounds: Vec<_> = watcher
        .versions("after")
        .iter()
        .map(|seen| {
            (
                seen.change,
                seen.at_path("/data/round")
                    .and_then(|round| round.as_str().map(str::to_owned)),
            )
        })
        .collect();
    let round = |text: &str| Some(text.to_owned());
    let expected = [
        (Change::Added, None),
        (Change::Modified, round("1")),
        (Change::Modified, round("2")),
        (Change::Modified, round("3")),
        (Change::Deleted, round("3")),
    ];
    ensure!(rounds == expected, "saw {rounds:?}");
    ensure!(
        watcher
            .versions("before")
            .first()
            .is_some_and(|seen| seen.change == Change::Present)
    );
    ensure!(watcher.broken().is_empty(), "{:?}", watcher.broken());
    Ok(())
}

async fn kubectl_runs(test: Test) -> anyhow::Result<()> {
    let kubectl = test.kubectl()?;
    kubectl
        .apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: applied}, data: {a: b}}")
        .await?;
    let value = kubectl
        .run(&["get", "configmap", "applied", "--output=jsonpath={.data.a}"])
        .await?;
    ensure!(value == "b", "got {value}");
    let refused = kubectl
        .run(&["get", "configmap", "missing"])
        .await
        .map_err(|error| error.to_string());
    ensure!(
        refused.as_ref().is_err_and(|text| text.contains("not found")),
        "{refused:?}"
    );
    Ok(())
}

async fn api_server_comes_back(test: Test) -> anyhow::Result<()> {
    let api: Api<ConfigMap> = test.api();
    api.create(&PostParams::default(), &config_map("kept")).await?;
    let server = test.control_plane()?.api_server();
    server.stop(Duration::from_secs(5));
    ensure!(api.get("kept").await.is_err(), "a stopped API server answered");
    server.restart()?;
    wait::until("the object to be there again", LIMIT, || api.get("kept")).await?;
    Ok(())
}

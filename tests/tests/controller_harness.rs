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

use keypool_tests::canary::Scan;
use keypool_tests::control_plane::{audit, kubeconfig};
use keypool_tests::ring::Test;
use keypool_tests::wait;
use keypool_tests::watcher::{Change, Watcher};

keypool_tests::ring!(
    Controllers: owned_objects_are_collected, requests_are_audited, watcher_sees_every_version, kubectl_runs,
    leaks_are_found_in_objects_and_logs;
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
    test.kubectl()?
        .apply(
            "
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader}]
",
        )
        .await?;
    let client = kubeconfig::client(&test.kubeconfig_as("reader").await?).await?;
    let api: Api<ConfigMap> = Api::namespaced(client, test.namespace());
    ensure!(api.get_opt("audited").await?.is_none());
    let refused = api.delete("audited", &DeleteParams::default()).await;
    ensure!(
        matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403),
        "{refused:?}"
    );

    let user = format!("system:serviceaccount:{}:reader", test.namespace());
    let requests = audit::read(test.control_plane()?.audit_log())?;
    let done: Vec<_> = requests
        .iter()
        .filter(|request| request.user == user)
        .map(|request| (request.verb.as_str(), request.resource.as_str(), request.status))
        .collect();
    ensure!(
        done == [("get", "configmaps", 404), ("delete", "configmaps", 403)],
        "{done:?}"
    );
    Ok(())
}

async fn leaks_are_found_in_objects_and_logs(test: Test) -> anyhow::Result<()> {
    let (secret, shown, logged) = ("sk-Vq3nT8rLw5Zb1", "sk-Hm4kYp9sXc2Gd", "sk-Jt6fRb8uWn3Ea");
    let manifests = format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: s}}, stringData: {{key: {secret}}}}}\n---\n\
         {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{key: {shown}}}}}"
    );
    test.kubectl()?.apply(&manifests).await?;
    std::fs::write(test.directory()?.join("process.log"), format!("using {logged}"))?;
    let mut scan = Scan::new([("secret", secret), ("shown", shown), ("logged", logged)]);
    test.scan(&mut scan).await?;
    let mut found: Vec<_> = scan.leaks().iter().map(|leak| leak.key.as_str()).collect();
    found.dedup();
    ensure!(found == ["shown", "logged"], "{:?}", scan.leaks());
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

//! What `kubectl explain` and `kubectl get` show.

use super::{create, group, provider};
use crate::definitions::{self, LIMIT, install};
use anyhow::{Context as _, ensure};
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use keypool_tests::ring::Test;
use keypool_tests::wait;
use kube::api::{Patch, PatchParams};

use serde_json::{Value, json};

pub(crate) async fn every_field_is_explained(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    let kubectl = test.kubectl()?;
    for (file, kind) in [
        ("modelproviders", "modelprovider"),
        ("loadbalancegroups", "loadbalancegroup"),
    ] {
        let definition: Value =
            serde_yaml::from_str(&definitions::read(&format!("crds/yaml/{file}.keypool.dev.yaml"))?)?;
        let schema = definition
            .pointer("/spec/versions/0/schema/openAPIV3Schema")
            .context("no schema")?;
        let mut objects = Vec::new();
        collect_objects(schema, kind, &mut objects);
        ensure!(objects.len() > 10, "{objects:?}");
        for path in objects {
            // The API server publishes a new definition a moment after it serves it.
            let told = wait::until(&format!("explanation of {path}"), LIMIT, || async {
                kubectl
                    .run(&["explain", &path])
                    .await
                    .map_err(|error| error.to_string())
            })
            .await?;
            ensure!(
                !told.contains("<no description>") && !told.contains("<empty>"),
                "{told}"
            );
        }
    }
    let weight = kubectl
        .run(&["explain", "modelprovider.spec.credentials.weight"])
        .await?;
    ensure!(weight.contains("0 drains the key"), "{weight}");
    Ok(())
}

fn collect_objects(schema: &Value, path: &str, found: &mut Vec<String>) {
    let schema = schema.get("items").unwrap_or(schema);
    if let Some(properties) = schema["properties"].as_object() {
        found.push(path.to_owned());
        for (name, property) in properties {
            collect_objects(property, &format!("{path}.{name}"), found);
        }
    }
}

pub(crate) async fn columns_are_as_promised(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    create(&test, &group("chat")).await?;
    create(&test, &provider("openai", &["a"])).await?;
    let ready = json!([{ "type": "Ready", "status": "True", "reason": "Ready", "message": "Well",
        "lastTransitionTime": "2026-11-20T09:12:00Z" },
        { "type": "Programmed", "status": "True", "reason": "Programmed", "message": "",
        "lastTransitionTime": "2026-11-20T09:12:00Z" }]);
    let summary = json!({ "total": 3, "healthy": 1, "coolingDown": 1, "invalid": 1, "display": "1/3" });
    let status = json!({ "status": { "conditions": ready, "keySummary": summary } });
    let merge = PatchParams::default();
    test.api::<ModelProvider>()
        .patch_status("openai", &merge, &Patch::Merge(&status))
        .await?;
    let status = json!({ "status": { "conditions": ready, "keySummary": summary, "readyReplicas": 2,
        "endpoint": "http://chat-keypool", "memberSummary": { "display": "3/3" } } });
    test.api::<LoadBalanceGroup>()
        .patch_status("chat", &merge, &Patch::Merge(&status))
        .await?;

    let kubectl = test.kubectl()?;
    for (arguments, wanted) in [
        (
            vec!["get", "mprov"],
            ["NAME TYPE KEYS READY REASON AGE", "openai OpenAI 1/3 True Ready "],
        ),
        (
            vec!["get", "mprov", "-o", "wide"],
            [
                "NAME TYPE KEYS READY REASON COOLING INVALID MESSAGE AGE",
                "openai OpenAI 1/3 True Ready 1 1 Well ",
            ],
        ),
        (
            vec!["get", "lbg"],
            [
                "NAME STRATEGY MEMBERS KEYS PROXIES PROGRAMMED READY AGE",
                "chat WeightedRoundRobin 3/3 1/3 2 True True ",
            ],
        ),
        (
            vec!["get", "lbg", "-o", "wide"],
            [
                "NAME STRATEGY MEMBERS KEYS PROXIES PROGRAMMED READY ENDPOINT MESSAGE AGE",
                "chat WeightedRoundRobin 3/3 1/3 2 True True http://chat-keypool Well ",
            ],
        ),
    ] {
        let table = kubectl.run(&arguments).await?;
        let lines: Vec<String> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        ensure!(
            lines.len() == 2 && lines[0] == wanted[0] && lines[1].starts_with(wanted[1]),
            "{table}"
        );
    }
    Ok(())
}

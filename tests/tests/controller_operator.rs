//! The operator as a plain process under its own rights, with proxies as plain processes: who leads, what it may do, and what
//! nobody must notice.

mod controller {
    pub(crate) mod installation;
}

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use controller::installation::{GROUP, Installation, KEYS};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role};
use keypool_fake_provider::{Answer, ErrorKind, KeyState, Rule};
use keypool_tests::canary::Scan;
use keypool_tests::control_plane::audit;
use keypool_tests::ring::Test;
use keypool_tests::wait;
use keypool_tests::watcher::Change;
use kube::ResourceExt as _;

keypool_tests::ring!(Controllers: leader_killed_twenty_times, verbs_used_are_the_verbs_granted);

const LIMIT: Duration = Duration::from_secs(60);

/// A new leader knows what the stored status and the pods know: none of twenty changes of leader shows in a status.
async fn leader_killed_twenty_times(test: Test) -> anyhow::Result<()> {
    let installation = Installation::start(&test, [127, 0, 81, 1]).await?;
    let operators = [installation.operator(1).await?, installation.operator(2).await?];
    installation.ready(2).await?;
    installation.fake.set_key_state(KEYS[0].0, KeyState::Revoked)?;
    let limited = Answer::error(ErrorKind::RateLimitExceeded).header("retry-after", "900");
    installation.fake.add_rule(Rule::new(limited).key(KEYS[1].0));
    installation.send(8).await?;
    installation.key_state(KEYS[1].0, "CoolingDown").await?;
    let providers = installation.watch("ModelProvider").await?;
    let invalid =
        |seen: &keypool_tests::watcher::Seen| seen.object.data.to_string().contains("RefusedByProvider");
    providers
        .wait_for("the revoked key to be Invalid", LIMIT, invalid)
        .await?;
    installation.settled(2).await?;

    let providers = installation.watch("ModelProvider").await?;
    let groups = installation.watch("LoadBalanceGroup").await?;
    for round in 0..20 {
        let holder = holder(&test).await?;
        let killed = operators
            .iter()
            .find(|operator| holder.starts_with(operator.name()))
            .with_context(|| format!("nobody of ours leads: {holder}"))?;
        killed.kill();
        let changed = || async { Ok::<_, anyhow::Error>(self::holder(&test).await.unwrap_or_default()) };
        let what = format!("another leader after kill {round}");
        wait::until_value(&what, LIMIT, changed, |now| !now.is_empty() && *now != holder).await?;
        installation.acknowledged_by(&operators, 2).await?;
        killed.restart()?;
        // Some die in the midst of their first looks; some have written what they had to say; the last has nothing left to say.
        if round % 4 == 3 {
            led_for(&test, if round == 19 { SETTLED } else { SPOKEN }).await?;
        }
    }

    for (kind, watcher) in [("ModelProvider", &providers), ("LoadBalanceGroup", &groups)] {
        ensure!(
            watcher.broken().is_empty(),
            "the watch broke: {:?}",
            watcher.broken()
        );
        let changed: Vec<_> = watcher
            .seen()
            .into_iter()
            .filter(|seen| seen.change != Change::Present)
            .collect();
        ensure!(
            changed.is_empty(),
            "{kind} changed {} times: {changed:#?}",
            changed.len()
        );
    }
    installation.finish(&test).await
}

/// Longer than a change of the status is held back to gather others.
const SPOKEN: Duration = Duration::from_secs(3);
/// Longer than a new leader takes the stored word for what it has not heard.
const SETTLED: Duration = Duration::from_secs(18);

/// Waits until one and the same leader has renewed its Lease for so long.
async fn led_for(test: &Test, long: Duration) -> anyhow::Result<()> {
    let led = || async {
        let spec = test.api::<Lease>().get("keypool-operator").await?.spec;
        let times = spec.and_then(|spec| spec.renew_time.zip(spec.acquire_time));
        let (renewed, acquired) = times.context("the Lease has its times")?;
        Ok::<_, anyhow::Error>(renewed.0.duration_since(acquired.0).unsigned_abs())
    };
    wait::until_value("a leader to have led for a while", LIMIT, led, |led| *led >= long).await?;
    Ok(())
}

async fn holder(test: &Test) -> anyhow::Result<String> {
    let lease = test.api::<Lease>().get("keypool-operator").await?;
    let holder = lease
        .spec
        .and_then(|spec| spec.holder_identity)
        .unwrap_or_default();
    Ok(holder)
}

/// Every verb that the operator uses is granted, and every verb that is granted is used by some part of its life.
async fn verbs_used_are_the_verbs_granted(test: Test) -> anyhow::Result<()> {
    let installation = Installation::start(&test, [127, 0, 82, 1]).await?;
    let operator = installation.operator(1).await?;
    installation.ready(1).await?;
    // An Event, and one repeated; a client Secret that is no longer wanted; a child that somebody changed.
    for _ in 0..2 {
        installation.fake.set_key_state(KEYS[0].0, KeyState::Revoked)?;
        installation.send(8).await?;
        installation.key_state(KEYS[0].0, "Invalid").await?;
        installation.fake.set_key_state(KEYS[0].0, KeyState::Active)?;
        installation.clear_cooldown().await?;
        installation.send(8).await?;
        installation.key_state(KEYS[0].0, "Healthy").await?;
    }
    let kubectl = test.kubectl()?;
    kubectl
        .run(&[
            "patch",
            "lbg",
            GROUP,
            "--type=merge",
            "-p",
            r#"{"spec":{"clientAccess":{"generated":false,"insecure":true}}}"#,
        ])
        .await?;
    let gone = || async { Ok::<_, anyhow::Error>(kubectl.run(&["get", "secrets", "-o", "name"]).await?) };
    wait::until_value("the client Secret to go", LIMIT, gone, |names| {
        !names.contains(&format!("{GROUP}-client"))
    })
    .await?;
    without_what_it_had_at_creation(&test).await?;
    kubectl
        .run(&[
            "label",
            "deployment",
            &format!("{GROUP}-keypool"),
            "keypool.dev/group-",
        ])
        .await?;
    kubectl
        .run(&["delete", "service", &format!("{GROUP}-keypool")])
        .await?;
    let back = || async { Ok::<_, anyhow::Error>(kubectl.run(&["get", "services", "-o", "name"]).await?) };
    wait::until_value("the Service to come back", LIMIT, back, |names| {
        names.contains(&format!("{GROUP}-keypool"))
    })
    .await?;
    for child in ["serviceaccount", "service"] {
        kubectl
            .run(&["annotate", child, &format!("{GROUP}-keypool"), "somebody=else"])
            .await?;
    }
    installation.provider_with_private_authority().await?;

    let mut granted = BTreeSet::new();
    for role in test.api::<Role>().list(&Default::default()).await? {
        let name = role.name_any();
        ensure!(
            name.ends_with("keypool-operator"),
            "a role of somebody else: {name}"
        );
        role.rules
            .into_iter()
            .flatten()
            .for_each(|rule| granted.extend(verbs(rule)));
    }
    let user = format!("system:serviceaccount:{}:keypool-operator", test.namespace());
    let log = test.control_plane()?.audit_log();
    let own = || async {
        let requests = audit::read(log)?;
        Ok::<_, anyhow::Error>(
            requests
                .into_iter()
                .filter(|request| request.user == user)
                .collect::<Vec<_>>(),
        )
    };
    let unused = |own: &Vec<audit::Request>| {
        let used: BTreeSet<_> = own
            .iter()
            .map(|request| {
                (
                    request.group.clone(),
                    request.resource.clone(),
                    request.verb.clone(),
                )
            })
            .collect();
        granted.difference(&used).cloned().collect::<Vec<_>>()
    };
    wait::until_value("every verb to be used", LIMIT, own, |own| unused(own).is_empty()).await?;
    operator
        .stop(Duration::from_secs(10))
        .context("the operator ends when it is told to")?;
    let left = holder(&test).await?;
    ensure!(left.is_empty(), "it leaves the Lease to others: {left}");
    let own = own().await?;
    let mut writes = own
        .iter()
        .filter(|request| !["get", "list", "watch"].contains(&request.verb.as_str()));
    let last = writes.next_back().context("it wrote")?;
    ensure!(last.resource == "leases", "its last write: {last:?}");
    let refused: Vec<_> = own.iter().filter(|request| request.status == 403).collect();
    ensure!(refused.is_empty(), "refused: {refused:#?}");
    let used: BTreeSet<_> = own
        .into_iter()
        .map(|request| (request.group, request.resource, request.verb))
        .collect();
    let beyond: Vec<_> = used.difference(&granted).collect();
    ensure!(beyond.is_empty(), "used beyond the roles: {beyond:#?}");
    installation.finish(&test).await
}

/// What is removed from a group goes from its Deployment, also what that was created with.
async fn without_what_it_had_at_creation(test: &Test) -> anyhow::Result<()> {
    let api = test.api::<Deployment>();
    let template = || async {
        let deployment = api.get(&format!("{GROUP}-keypool")).await?;
        let pod = deployment.spec.and_then(|spec| spec.template.spec);
        pod.context("the Deployment has a template")
    };
    let limits = |pod: &PodSpec| {
        let containers = pod.containers.iter();
        containers
            .filter_map(|container| container.resources.as_ref()?.limits.as_ref())
            .count()
    };
    let pod = template().await?;
    ensure!(
        limits(&pod) == 1 && pod.image_pull_secrets.is_some(),
        "it was not created so: {pod:?}"
    );
    let removed = r#"{"spec":{"proxy":{"resources":null,"imagePullSecrets":null}}}"#;
    let patch = ["patch", "lbg", GROUP, "--type=merge", "-p", removed];
    test.kubectl()?.run(&patch).await?;
    wait::until_value("limits and pull Secrets to go", LIMIT, template, |pod| {
        limits(pod) == 0 && pod.image_pull_secrets.as_ref().is_none_or(Vec::is_empty)
    })
    .await?;
    Ok(())
}

fn verbs(rule: PolicyRule) -> Vec<(String, String, String)> {
    let (groups, resources) = (
        rule.api_groups.unwrap_or_default(),
        rule.resources.unwrap_or_default(),
    );
    let mut all = Vec::new();
    for group in &groups {
        for resource in &resources {
            all.extend(
                rule.verbs
                    .iter()
                    .map(|verb| (group.clone(), resource.clone(), verb.clone())),
            );
        }
    }
    all
}

/// The keys of the test's provider, for the canary scan.
fn keys() -> Scan {
    Scan::new(KEYS)
}

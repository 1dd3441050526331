//! Who may do what, as the API server decides it.

use super::{chart, rendered};
use crate::definitions::install;
use anyhow::ensure;
use keypool_tests::kubectl::Kubectl;
use keypool_tests::ring::Test;

async fn may(kubectl: &Kubectl, account: &str, words: &str) -> anyhow::Result<bool> {
    let user = format!("--as={account}");
    let mut arguments = vec!["auth", "can-i", user.as_str(), "--quiet"];
    arguments.extend(words.split(' '));
    Ok(kubectl.try_run(&arguments, "").await?.status.success())
}

async fn granted(kubectl: &Kubectl, account: &str, asked: &[&str], wanted: bool) -> anyhow::Result<()> {
    for words in asked {
        ensure!(
            may(kubectl, account, words).await? == wanted,
            "{account}: {words} must be {wanted}"
        );
    }
    Ok(())
}

pub(crate) async fn the_operator_may_do_what_it_needs_and_no_more(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    test.kubectl()?.apply(&rendered(&test, &[]).await?).await?;
    let operator = format!("system:serviceaccount:{}:keypool-operator", test.namespace());
    let elsewhere = test.kubectl_in("default")?;
    let needed = [
        "list modelproviders.keypool.dev",
        "watch loadbalancegroups.keypool.dev",
        "patch modelproviders.keypool.dev --subresource=status",
        "patch loadbalancegroups.keypool.dev --subresource=status",
        "get secrets",
        "watch configmaps",
        "create deployments.apps",
        "patch services",
        "create serviceaccounts",
        "watch pods",
        "create events.events.k8s.io",
    ];
    granted(&elsewhere, &operator, &needed, true).await?;
    let own = test.kubectl()?;
    granted(&own, &operator, &["create leases.coordination.k8s.io"], true).await?;
    granted(
        &own,
        &operator,
        &["update leases.coordination.k8s.io/keypool-operator"],
        true,
    )
    .await?;
    let never = [
        "create modelproviders.keypool.dev",
        "update modelproviders.keypool.dev",
        "patch loadbalancegroups.keypool.dev",
        "delete loadbalancegroups.keypool.dev",
        "create pods",
        "delete pods",
        "get pods --subresource=log",
        "create pods --subresource=exec",
        "create serviceaccounts --subresource=token",
        "delete deployments.apps",
        "get nodes",
        "get namespaces",
        "create roles.rbac.authorization.k8s.io",
        "escalate clusterroles.rbac.authorization.k8s.io",
        "update leases.coordination.k8s.io/another",
        "impersonate users",
        "update customresourcedefinitions.apiextensions.k8s.io",
    ];
    granted(&own, &operator, &never, false).await?;
    granted(
        &elsewhere,
        &operator,
        &["create leases.coordination.k8s.io"],
        false,
    )
    .await
}

pub(crate) async fn a_watched_namespace_is_a_fence(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    let namespace = format!("{}-served", test.namespace());
    test.create_namespace(&namespace, &[]).await?;
    let listed = format!("watchNamespace={namespace}");
    let install = [
        "upgrade",
        "--install",
        "keypool",
        &chart("keypool"),
        "--set",
        "replicas=0",
        "--set",
        &listed,
    ];
    test.helm()?.run(&install).await?;
    let arguments = ["get", "deployment", "keypool-operator", "-o", "jsonpath={..args}"];
    let arguments = test.kubectl()?.run(&arguments).await?;
    ensure!(
        arguments.contains(&format!("--watch-namespace={namespace}")),
        "{arguments}"
    );
    let operator = format!("system:serviceaccount:{}:keypool-operator", test.namespace());
    let asked = [
        "list secrets",
        "list modelproviders.keypool.dev",
        "create deployments.apps",
    ];
    granted(&test.kubectl_in(&namespace)?, &operator, &asked, true).await?;
    granted(&test.kubectl()?, &operator, &asked, false).await?;
    granted(
        &test.kubectl()?,
        &operator,
        &["get secrets/keypool-identity", "create secrets"],
        true,
    )
    .await?;
    granted(&test.kubectl_in("default")?, &operator, &asked, false).await
}

pub(crate) async fn people_get_roles_of_their_own(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    let kubectl = test.kubectl()?;
    kubectl.apply(&rendered(&test, &[]).await?).await?;
    for role in ["viewer", "editor"] {
        let name = format!("{}-keypool-{role}", test.namespace());
        kubectl
            .run(&[
                "create",
                "rolebinding",
                role,
                "--clusterrole",
                &name,
                &format!("--user={role}"),
            ])
            .await?;
    }
    granted(&kubectl, "viewer", &["get lbg", "watch mprov"], true).await?;
    granted(
        &kubectl,
        "viewer",
        &[
            "create mprov",
            "patch lbg",
            "patch lbg --subresource=scale",
            "get secrets",
        ],
        false,
    )
    .await?;
    granted(
        &kubectl,
        "editor",
        &["create mprov", "delete lbg", "patch lbg --subresource=scale"],
        true,
    )
    .await?;
    granted(
        &kubectl,
        "editor",
        &["patch mprov --subresource=status", "get secrets"],
        false,
    )
    .await
}

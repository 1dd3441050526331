//! The charts on a real API server: everything they make is taken, pods are restricted, and the operator may do what it needs and
//! nothing else.

#[path = "admit/definitions.rs"]
mod definitions;

use anyhow::ensure;
use serde_json::Value;

use definitions::{FILES, LIMIT, install};
use keypool_tests::kubectl::Kubectl;
use keypool_tests::ring::Test;
use keypool_tests::tools;
use keypool_tests::wait;

keypool_tests::ring!(
    Api: the_release_installs_upgrades_and_goes, its_pods_are_restricted, the_operator_may_do_what_it_needs_and_no_more,
    a_watched_namespace_is_a_fence, unknown_values_are_refused, secrets_are_fenced_at_admission, people_get_roles_of_their_own,
    the_demo_provider_is_taken
);

fn chart(name: &str) -> String {
    tools::repository()
        .join("charts")
        .join(name)
        .display()
        .to_string()
}

async fn rendered(test: &Test, settings: &[&str]) -> anyhow::Result<String> {
    let chart = chart("keypool");
    let mut arguments = vec!["template", "keypool", &chart];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    Ok(test.helm()?.run(&arguments).await?)
}

/// The objects of a kind in rendered manifests.
fn objects(manifests: &str, kind: &str) -> anyhow::Result<Vec<Value>> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(manifests) {
        let object: Value = serde::Deserialize::deserialize(document)?;
        if object["kind"] == kind {
            found.push(object);
        }
    }
    Ok(found)
}

async fn the_release_installs_upgrades_and_goes(test: Test) -> anyhow::Result<()> {
    let (helm, kubectl) = (test.helm()?, test.kubectl()?);
    // Helm does not take over what kubectl applied: other tests of this run did.
    let definitions = helm
        .run(&["template", "keypool-crds", &chart("keypool-crds")])
        .await?;
    let output = kubectl
        .try_run(
            &["apply", "--server-side", "--force-conflicts", "--filename", "-"],
            &definitions,
        )
        .await?;
    ensure!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        output.stderr
    );
    let keep = "jsonpath={.metadata.annotations.helm\\.sh/resource-policy}";
    ensure!(kubectl.run(&["get", "crd", FILES[0], "-o", keep]).await? == "keep");

    let chart = chart("keypool");
    let install = ["upgrade", "--install", "keypool", &chart, "--set", "replicas=0"];
    let notes = helm.run(&install).await?;
    ensure!(
        notes.contains("kubectl get keypool") && !notes.contains("not there yet"),
        "{notes}"
    );
    helm.run(&install).await?;
    helm.run(&["uninstall", "keypool"]).await?;
    let left = kubectl
        .run(&["get", "clusterrole,validatingadmissionpolicy", "-o", "name"])
        .await?;
    ensure!(!left.contains(test.namespace()), "{left}");
    Ok(())
}

/// Applied where Pod Security warns about everything that is not restricted.
async fn its_pods_are_restricted(test: Test) -> anyhow::Result<()> {
    let namespace = format!("{}-warn", test.namespace());
    test.create_namespace(&namespace, &[("pod-security.kubernetes.io/warn", "restricted")])
        .await?;
    let kubectl = test.kubectl_in(&namespace)?;
    let manifests = rendered(&test, &[]).await?;
    let deployments = objects(&manifests, "Deployment")?;
    ensure!(deployments.len() == 1);
    let mut deployment = deployments[0].clone();
    deployment["metadata"]["namespace"] = namespace.as_str().into();
    let apply = ["apply", "--server-side", "--filename", "-"];
    let output = kubectl.try_run(&apply, &deployment.to_string()).await?;
    ensure!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        output.stderr
    );

    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] =
        true.into();
    let output = kubectl.try_run(&apply, &deployment.to_string()).await?;
    ensure!(
        output.stderr.contains("allowPrivilegeEscalation"),
        "the warning must be one: {}",
        output.stderr
    );

    let container = &deployments[0]["spec"]["template"]["spec"]["containers"][0];
    ensure!(
        container["securityContext"]["readOnlyRootFilesystem"] == true,
        "{container}"
    );
    Ok(())
}

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

async fn the_operator_may_do_what_it_needs_and_no_more(test: Test) -> anyhow::Result<()> {
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

async fn a_watched_namespace_is_a_fence(test: Test) -> anyhow::Result<()> {
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

async fn unknown_values_are_refused(test: Test) -> anyhow::Result<()> {
    for (setting, told) in [
        ("replica=3", "replica"),
        ("image.hash=a", "hash"),
        ("replicas=-1", "replicas"),
        ("image.digest=latest", "digest"),
        ("watchNamespace=Team_A", "watchNamespace"),
    ] {
        let refused = rendered(&test, &[setting]).await.map(|_| ());
        let text = refused.err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(text.contains(told), "{setting}: {text}");
    }
    Ok(())
}

const PROVIDER: &str = "
apiVersion: keypool.dev/v1alpha1
kind: ModelProvider
metadata: {name: openai}
spec: {type: OpenAI, credentials: [{name: a, secretKeyRef: {name: s, key: k}}]}
";

async fn secrets_are_fenced_at_admission(test: Test) -> anyhow::Result<()> {
    install(&test).await?;
    let kubectl = test.kubectl()?;
    kubectl.apply(&rendered(&test, &[]).await?).await?;
    let editor = format!("{}-keypool-editor", test.namespace());
    kubectl
        .run(&[
            "create",
            "rolebinding",
            "editor",
            "--clusterrole",
            &editor,
            "--user=dev",
        ])
        .await?;
    let apply = ["apply", "--server-side", "--as=dev", "--filename", "-"];

    // The API server learns of a new policy a moment later.
    let refused = wait::until("the policy to refuse", LIMIT, || async {
        let arguments = [
            "apply",
            "--server-side",
            "--as=dev",
            "--dry-run=server",
            "--filename",
            "-",
        ];
        match kubectl.try_run(&arguments, PROVIDER).await {
            Ok(output) if !output.status.success() && output.stderr.contains("may not get Secrets") => {
                Ok(output.stderr)
            }
            other => Err(other),
        }
    })
    .await?;
    ensure!(
        refused.contains(&format!(
            "dev may not get Secrets in namespace {}",
            test.namespace()
        )),
        "{refused}"
    );
    ensure!(
        refused.contains("have the verb get on secrets granted"),
        "{refused}"
    );

    kubectl.apply(PROVIDER).await?;
    let label = ["label", "--as=dev", "modelprovider/openai", "team=a"];
    kubectl.run(&label).await?;
    let other_key = PROVIDER.replace("key: k", "key: other");
    let force = [&apply[..], &["--force-conflicts"]].concat();
    let output = kubectl.try_run(&force, &other_key).await?;
    ensure!(output.stderr.contains("may not get Secrets"), "{}", output.stderr);

    kubectl
        .run(&["create", "role", "secrets", "--verb=get", "--resource=secrets"])
        .await?;
    kubectl
        .run(&["create", "rolebinding", "secrets", "--role=secrets", "--user=dev"])
        .await?;
    let output = kubectl.try_run(&force, &other_key).await?;
    ensure!(output.status.success(), "{}", output.stderr);
    Ok(())
}

async fn people_get_roles_of_their_own(test: Test) -> anyhow::Result<()> {
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

/// In a namespace of the test's own; its real one is that of the manifest.
async fn the_demo_provider_is_taken(test: Test) -> anyhow::Result<()> {
    let namespace = format!("{}-demo", test.namespace());
    let manifest = definitions::read("examples/quickstart/provider/provider.yaml")?;
    let namespaces = objects(&manifest, "Namespace")?;
    ensure!(namespaces.len() == 1 && namespaces[0]["metadata"]["name"] == "keypool-demo");
    test.create_namespace(&namespace, &[("pod-security.kubernetes.io/warn", "restricted")])
        .await?;
    for kind in ["Service", "Deployment"] {
        for mut object in objects(&manifest, kind)? {
            object["metadata"]["namespace"] = namespace.as_str().into();
            let apply = ["apply", "--server-side", "--filename", "-"];
            let output = test
                .kubectl_in(&namespace)?
                .try_run(&apply, &object.to_string())
                .await?;
            ensure!(
                output.status.success() && output.stderr.is_empty(),
                "{}",
                output.stderr
            );
        }
    }
    Ok(())
}

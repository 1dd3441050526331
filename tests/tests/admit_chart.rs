//! The charts on a real API server: everything they make is taken, pods are restricted, and the operator may do what it needs and
//! nothing else.

#[path = "admit/definitions.rs"]
mod definitions;
#[path = "admit_chart/roles.rs"]
mod roles;

use anyhow::{bail, ensure};
use serde_json::Value;

use definitions::{FILES, LIMIT, install};
use keypool_tests::guide::Guide;
use keypool_tests::ring::Test;
use keypool_tests::tools;
use keypool_tests::wait;
use roles::{
    a_watched_namespace_is_a_fence, people_get_roles_of_their_own,
    the_operator_may_do_what_it_needs_and_no_more,
};

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
    // What it tells to do next can be pasted.
    let (Some(from), Some(to)) = (
        notes.find("kubectl create secret"),
        notes.find("\n\nApplications"),
    ) else {
        bail!("no commands in {notes}");
    };
    let directory = tempfile::tempdir()?;
    let kubeconfig = test.kubeconfig_here(directory.path()).await?;
    let listed = Guide::of("NOTES.txt", &notes[from..to])
        .follow(&["kubectl"], directory.path(), &kubeconfig)
        .await?;
    ensure!(
        listed.contains("modelprovider.keypool.dev/openai")
            && listed.contains("loadbalancegroup.keypool.dev/chat"),
        "{listed}"
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

use anyhow::ensure;
use keypool_tests::product::{Manifest, Scene};
use serde_json::{Value, json};

/// A manifest that the API server refuses, and what its message has to name.
/// All rules are in `crds/tests/refused.yaml`, for the admission ring; this is
/// what a person who runs kubectl reads.
pub(super) async fn manifests(scene: &Scene) -> anyhow::Result<()> {
    let key = json!([{"name": "a", "secretKeyRef": {"name": "s", "key": "k"}}]);
    let cases = [
        (
            "ModelProvider",
            json!({"type": "OpenAI", "endpoint": {"url": "http://api.openai.com/v1"}, "credentials": key}),
            ["bad-input", "endpoint.url must be https://", "use https://"],
        ),
        (
            "ModelProvider",
            json!({"type": "OpenAICompatible"}),
            ["bad-input", "endpoint.url is required", "set it to"],
        ),
        (
            "ModelProvider",
            json!({"type": "OpenAI", "credentials": [{"name": "a"}]}),
            ["bad-input", "spec.credentials[0]", "set secretKeyRef"],
        ),
        (
            "LoadBalanceGroup",
            json!({
                "members": [{"name": "a", "providerRef": {"name": "p"}, "model": "m"}],
                "clientAccess": {"generated": false},
            }),
            ["bad-input", "spec.clientAccess", "set clientAccess.generated"],
        ),
        (
            "LoadBalanceGroup",
            json!({"members": []}),
            ["bad-input", "spec.members", "at least 1"],
        ),
    ];
    let kubectl = scene.test().kubectl()?;
    for (kind, spec, names) in cases {
        let manifest = object(kind, spec);
        let output = kubectl
            .try_run(&["apply", "--server-side", "--filename", "-"], &manifest.text())
            .await?;
        ensure!(!output.status.success(), "accepted {}", manifest.text());
        for word in names {
            ensure!(output.stderr.contains(word), "no {word} in {}", output.stderr);
        }
        scene.told("a refusal by the API server", output.stderr);
    }
    Ok(())
}

fn object(kind: &str, spec: Value) -> Manifest {
    Manifest(json!({
        "apiVersion": "keypool.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "bad-input"},
        "spec": spec,
    }))
}

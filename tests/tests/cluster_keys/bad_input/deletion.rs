use anyhow::ensure;
use keypool_tests::product::{LIMIT, Provider, Scene, all_answered, manifests};
use keypool_tests::wait;

/// What the operator makes for groups.
const CHILDREN: &str = "deployments,replicasets,pods,services,serviceaccounts,secrets,endpointslices";

/// A group that is deleted and made again at once serves with new children;
/// one that is deleted for good leaves nothing, and nothing of others goes.
pub(super) async fn leaves_nothing(scene: &Scene, fake: &Provider) -> anyhow::Result<()> {
    let kubectl = scene.test().kubectl()?;
    let key_before = scene.caller("chat").await?.key().to_owned();
    scene.keep_metrics().await?;
    kubectl.run(&["delete", "loadbalancegroup", "chat"]).await?;
    kubectl.run(&["delete", "modelprovider", "good"]).await?;
    let member = [manifests::Member::new("good", "good", "gpt-4.1")];
    scene
        .apply(&[
            manifests::provider("good", fake, &["key"]),
            manifests::group("chat", &member),
        ])
        .await?;
    scene.healthy(&["good"], "chat").await?;
    // Of the old group's client Secret, which goes by garbage collection, the
    // new one makes its own.
    let caller = wait::until("the new group's client key to serve", LIMIT, || async {
        let caller = scene.caller("chat").await.map_err(|error| error.to_string())?;
        let reply = caller.chat("hello").await.map_err(|error| error.to_string())?;
        match caller.key() != key_before && reply.is_answer() {
            true => Ok(caller),
            false => Err(reply.text()),
        }
    })
    .await?;
    all_answered(&caller.many(20, 2).await)?;

    scene.keep_metrics().await?;
    kubectl
        .run(&["delete", "loadbalancegroups,modelproviders", "--all"])
        .await?;
    let left = ["get", CHILDREN, "--selector=keypool.dev/group", "--output=name"];
    wait::until_value(
        "all children to go",
        LIMIT,
        || kubectl.run(&left),
        |names| names.trim().is_empty(),
    )
    .await?;
    let secrets = kubectl.run(&["get", "secrets", "--output=name"]).await?;
    for mine in ["good-keys", "empty-keys", "taken-client", "app"] {
        ensure!(
            secrets.contains(&format!("secret/{mine}\n")),
            "{mine} is not in {secrets}"
        );
    }
    let made = |name: &&str| name.ends_with("-keypool") || name.ends_with("-client");
    let left: Vec<_> = secrets
        .lines()
        .filter(made)
        .filter(|name| *name != "secret/taken-client")
        .collect();
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}

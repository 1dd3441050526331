//! The arrows of the architecture, read from cargo's own resolution: who may depend on whom. And what they cost: rules that
//! stand twice because neither crate may know the other are held together here.

#![allow(clippy::unwrap_used)]

#[path = "arrows/same_rules.rs"]
mod same_rules;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

/// Packages by name, each with the names of its normal (not development, not build) dependencies.
struct Graph(BTreeMap<String, BTreeSet<String>>);

impl Graph {
    fn read() -> anyhow::Result<Self> {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let arguments = [
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--manifest-path",
            manifest,
        ];
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .output()
            .context("cargo does not run")?;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo writes no JSON")?;
        let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let names: BTreeMap<String, String> = array(&metadata["packages"])
            .iter()
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in array(&metadata["resolve"]["nodes"]) {
            let entry = graph.entry(names[&text(&node["id"])].clone()).or_default();
            for dependency in array(&node["deps"]) {
                if array(&dependency["dep_kinds"])
                    .iter()
                    .any(|kind| kind["kind"].is_null())
                {
                    entry.insert(names[&text(&dependency["pkg"])].clone());
                }
            }
        }
        Ok(Self(graph))
    }

    fn ours(&self, package: &str) -> BTreeSet<&str> {
        let ours = |name: &&String| name.starts_with("keypool-");
        self.0[package].iter().filter(ours).map(String::as_str).collect()
    }

    fn reachable(&self, package: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut next = vec![package.to_owned()];
        while let Some(name) = next.pop() {
            for dependency in self.0.get(&name).into_iter().flatten() {
                if seen.insert(dependency.clone()) {
                    next.push(dependency.clone());
                }
            }
        }
        seen
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn our_crates_depend_on_each_other_as_drawn() -> anyhow::Result<()> {
    let graph = Graph::read()?;
    for (package, allowed) in [
        ("keypool-crds", &[][..]),
        ("keypool-contract", &[]),
        ("keypool-balance", &[]),
        ("keypool-dialect", &["keypool-contract"]),
        (
            "keypool-proxy",
            &["keypool-balance", "keypool-contract", "keypool-dialect"],
        ),
        ("keypool-operator", &["keypool-contract", "keypool-crds"]),
        (
            "keypool-cli",
            &[
                "keypool-contract",
                "keypool-crds",
                "keypool-operator",
                "keypool-proxy",
            ],
        ),
        ("keypool-fake-provider", &[]),
    ] {
        let surplus: Vec<_> = graph
            .ours(package)
            .into_iter()
            .filter(|name| !allowed.contains(name))
            .collect();
        assert!(surplus.is_empty(), "{package} must not depend on {surplus:?}");
    }
    Ok(())
}

#[test]
fn the_pure_crates_know_no_runtime_no_client_and_no_socket() -> anyhow::Result<()> {
    let graph = Graph::read()?;
    for package in ["keypool-balance", "keypool-contract", "keypool-dialect"] {
        let reachable = graph.reachable(package);
        for banned in [
            "tokio",
            "hyper",
            "reqwest",
            "kube",
            "rustls",
            "mio",
            "socket2",
            "async-std",
            "rand",
            "jiff",
        ] {
            assert!(!reachable.contains(banned), "{package} reaches {banned}");
        }
    }
    Ok(())
}

#[test]
fn the_proxy_never_links_kube_nor_a_client_that_retries_by_itself() -> anyhow::Result<()> {
    let reachable = Graph::read()?.reachable("keypool-proxy");
    for banned in [
        "kube",
        "kube-client",
        "k8s-openapi",
        "reqwest",
        "openssl",
        "native-tls",
    ] {
        assert!(!reachable.contains(banned), "keypool-proxy reaches {banned}");
    }
    Ok(())
}

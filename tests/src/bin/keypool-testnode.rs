//! Runs a command on a cluster of its own: control plane and node as the
//! `cluster_` ring has them, gone when the command ends.
//!
//! ```text
//! keypool-testnode bash             look around with kubectl, curl, helm
//! keypool-testnode IMAGE... -- ...  with images: operator, proxy, fake-provider, shell
//! ```

use std::process::ExitCode;

use anyhow::Context as _;
use keypool_tests::guide::path_with_tools;
use keypool_tests::images::Image;
use keypool_tests::node::namespaces;
use keypool_tests::ring::{EXISTING, Level, World};
use keypool_tests::say;

fn main() -> ExitCode {
    let outcome = match namespaces::inside() {
        false => namespaces::run_self().map_err(anyhow::Error::from),
        true => inside(),
    };
    outcome.unwrap_or_else(|error| {
        say::line(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn inside() -> anyhow::Result<ExitCode> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let images = match words.iter().position(|word| word == "--") {
        Some(end) => words.drain(..=end).take(end).collect(),
        None => Vec::new(),
    };
    let images = images
        .iter()
        .map(|name: &String| named(name))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (program, arguments) = words.split_first().context("no command given")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let world = runtime.block_on(World::start(Level::Cluster))?;
    let node = world
        .node()
        .context("an existing cluster needs no node: unset KEYPOOL_TEST_KUBECONFIG")?;
    for image in &images {
        runtime.block_on(node.images().add(image))?;
    }
    let status = std::process::Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", world.kubeconfig())
        .env(EXISTING, world.kubeconfig())
        .env("PATH", path_with_tools()?)
        .status()
        .with_context(|| format!("running {program}"))?;
    world.close(status.success());
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}

fn named(image: &str) -> anyhow::Result<Image> {
    Ok(match image {
        "operator" => Image::operator()?,
        "proxy" => Image::proxy()?,
        "fake-provider" => Image::fake_provider()?,
        "shell" => Image::shell(),
        other => anyhow::bail!("no image {other}"),
    })
}

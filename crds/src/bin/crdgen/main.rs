//! Writes what is generated from the API types: the CustomResourceDefinitions, their copies in the chart, and the reference page.
//!
//! `crdgen [--check] [ROOT]`: ROOT is the repository, by default the one that holds this crate. With `--check` nothing is
//! written, and a file that differs ends it with 1.

mod definition;
mod files;
mod reference;
mod schema;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let mut check = false;
    let mut root = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--check" => check = true,
            other if !other.starts_with('-') && root.is_none() => root = Some(PathBuf::from(other)),
            other => anyhow::bail!("unexpected argument {other}; usage: crdgen [--check] [ROOT]"),
        }
    }
    let root = root.unwrap_or_else(files::default_root);
    let generated = files::generate()?;
    if !check {
        files::write(&root, &generated)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stale = files::stale(&root, &generated);
    for path in &stale {
        report(&format!(
            "{path} differs from what crdgen makes of the types; run crdgen"
        ));
    }
    Ok(if stale.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[allow(clippy::print_stderr, reason = "what a person at the terminal reads")]
fn report(line: &str) {
    eprintln!("{line}");
}

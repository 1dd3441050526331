//! The proxy's process.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use keypool_proxy::telemetry::{self, AccessLog};
use keypool_proxy::{Options, Proxy};
use tokio::signal::unix::{SignalKind, signal};

mod args;
mod descriptors;
mod harden;
mod memory;

use args::Args;

/// Exit code for a command line that cannot be understood (`EX_USAGE`).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    harden::process();
    memory::process();
    // Before anything makes a TLS setting of its own: there is one provider.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return fail("the TLS provider is installed already");
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => {
            // --help and --version.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            let _ = writeln!(
                std::io::stderr(),
                "keypool-proxy: {} (see --help)",
                line.trim_start_matches("error: ")
            );
            return ExitCode::from(USAGE);
        }
    };
    telemetry::subscribe(&args.log);
    descriptors::process();
    match run(args.into()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{error:#}")),
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "keypool-proxy: {why}");
    ExitCode::FAILURE
}

#[tokio::main]
async fn run(options: Options) -> anyhow::Result<()> {
    // Before the first request: a signal that comes while it starts must not kill it.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let proxy = Proxy::start(options).await?;
    let at = proxy.addresses();
    let text = |at: Option<std::net::SocketAddr>| at.map(|at| at.to_string());
    tracing::info!(clients = %at.clients, health = text(at.health), exchange = text(at.exchange), "serving");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining");
    let access_log = proxy.access_log();
    tokio::select! {
        () = proxy.drain() => {}
        // Who asks twice does not want to wait; what was told so far is still written.
        _ = terminate.recv() => close(access_log).await,
        _ = interrupt.recv() => close(access_log).await,
    }
    Ok(())
}

async fn close(access_log: Option<Arc<AccessLog>>) {
    if let Some(log) = access_log {
        // The only failure is a panic, which its own message tells.
        let _ = tokio::task::spawn_blocking(move || log.close()).await;
    }
}

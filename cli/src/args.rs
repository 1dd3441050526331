//! The command line. Parsing has no effects.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use keypool_contract::limits::CLIENT_PORT;
use keypool_proxy::upstream::Override;

/// The key of clients where none is given. Everybody knows it, so it opens groups on this machine only.
pub(crate) const DEMO_KEY: &str = "demo";
/// The variable that holds the key of clients.
pub(crate) const CLIENT_KEY_VARIABLE: &str = "KEYPOOL_CLIENT_KEY";

/// Keypool on your machine.
#[derive(Debug, Parser)]
#[command(name = "keypool", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve manifests on a local port, without a cluster
    Run(Run),
}

/// Local mode: renders in process what the operator would render, and serves it.
///
/// Keys come from Secrets in the manifests or from the environment: data key team-a of Secret openai-keys from
/// KEYPOOL_SECRET_OPENAI_KEYS_TEAM_A. Files are followed: a change is in use within a second. While it runs, s and Enter (or
/// the signal USR1) shows the status of all resources as YAML.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Directory or file of manifests: ModelProviders, LoadBalanceGroups, Secrets, ConfigMaps (of a directory: *.yaml, *.yml and
    /// *.json, not its subdirectories); may be given several times
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    pub(crate) filename: Vec<PathBuf>,
    /// Address for clients; each group is served under /g/<group>/v1 [default: 127.0.0.1:8080; with --once any free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Address for /healthz, /readyz and /metrics [default: any free port of this machine]
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:0",
        hide_default_value = true
    )]
    pub(crate) health_listen: SocketAddr,
    /// The key of clients, for groups that would generate one in a cluster
    #[arg(long, env = CLIENT_KEY_VARIABLE, default_value = DEMO_KEY, hide_env_values = true, value_name = "KEY")]
    pub(crate) client_key: String,
    /// Connect to ADDR where HOST:PORT is asked for, as in curl; may be given several times
    #[arg(long, value_name = "HOST:PORT:ADDR")]
    pub(crate) resolve: Vec<Override>,
    /// Namespace of manifests that name none
    #[arg(short = 'n', long, default_value = "default")]
    pub(crate) namespace: String,
    /// Write the status of all resources as YAML to FILE whenever it changes; - for standard output, in place of the table
    #[arg(long, value_name = "FILE")]
    pub(crate) status: Option<PathBuf>,
    /// Append the access log to FILE, one JSON line per request
    #[arg(long, value_name = "FILE")]
    pub(crate) access_log: Option<PathBuf>,
    /// Send requests to the groups until a key has cooled down, come back and served again; then end
    #[arg(long)]
    pub(crate) once: bool,
}

impl Run {
    /// Where clients are served.
    pub(crate) fn listen(&self) -> SocketAddr {
        let port = if self.once { 0 } else { CLIENT_PORT };
        self.listen
            .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Result<Run, clap::Error> {
        let all = ["keypool", "run"].iter().chain(arguments);
        Cli::try_parse_from(all).map(|cli| match cli.command {
            Command::Run(run) => run,
        })
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_demonstration_takes_a_free_port_unless_told_otherwise() {
        assert_eq!(run(&["-f", "d"]).unwrap().listen().to_string(), "127.0.0.1:8080");
        assert_eq!(
            run(&["-f", "d", "--once"]).unwrap().listen().to_string(),
            "127.0.0.1:0"
        );
        let told = run(&["-f", "d", "--once", "--listen", "[::1]:9000"]).unwrap();
        assert_eq!(told.listen().to_string(), "[::1]:9000");
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            &[][..],
            &["-f", "d", "--listen", "8080"],
            &["-f", "d", "--resolve", "host:443"],
            &["-f", "d", "--resolve", "host:443:name"],
        ] {
            assert!(run(bad).is_err(), "{bad:?}");
        }
    }
}

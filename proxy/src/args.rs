//! The command line.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use keypool_contract::limits::{CLIENT_PORT, EXCHANGE_PORT, HEALTH_PORT};
use keypool_proxy::Options;
use keypool_proxy::config::{Directory, Source};
use keypool_proxy::telemetry::Sink;
use keypool_proxy::upstream::Override;

/// Serves a fleet's groups from its configuration directory.
#[derive(Debug, Parser)]
#[command(name = "keypool-proxy", version)]
pub(crate) struct Args {
    /// Directory of the rendered Secret: document, certificate and token.
    #[arg(
        long,
        value_name = "DIR",
        env = "KEYPOOL_CONFIG",
        default_value = "/etc/keypool"
    )]
    config: PathBuf,
    /// Where clients are served.
    #[arg(long, value_name = "ADDR", default_value_t = any(CLIENT_PORT))]
    listen: SocketAddr,
    /// Where health and metrics are served; none for nowhere.
    #[arg(long, value_name = "ADDR", default_value_t = Place(Some(any(HEALTH_PORT))))]
    health: Place,
    /// Where the operator is served; none for nowhere.
    #[arg(long, value_name = "ADDR", default_value_t = Place(Some(any(EXCHANGE_PORT))))]
    exchange: Place,
    /// Connect to ADDRESS for HOST and PORT, as curl does. May be repeated.
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    resolve: Vec<Override>,
    /// Where the access log goes: stdout, none, or a file.
    #[arg(long, value_name = "SINK", default_value = "stdout", value_parser = sink)]
    access_log: Sink,
    /// Seconds that open requests may go on after SIGTERM.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    drain_limit: u64,
    /// What is logged, in the form of RUST_LOG.
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "info")]
    pub(crate) log: String,
}

/// An address, or nowhere.
#[derive(Clone, Copy, Debug)]
struct Place(Option<SocketAddr>);

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self(None)),
            address => address
                .parse()
                .map(|at| Self(Some(at)))
                .map_err(|_| "an address with its port, or none"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("none"),
        }
    }
}

/// All addresses of both families; of IPv4 alone on a machine that has no other.
fn any(port: u16) -> SocketAddr {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    match UdpSocket::bind(both) {
        Ok(_) => SocketAddr::new(both.ip(), port),
        Err(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    }
}

fn sink(text: &str) -> Result<Sink, &'static str> {
    match text {
        "" => Err("stdout, none, or a file's path"),
        "stdout" => Ok(Sink::Stdout),
        "none" => Ok(Sink::None),
        path => Ok(Sink::File(path.into())),
    }
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        Self {
            clients: args.listen,
            health: args.health.0,
            exchange: args.exchange.0,
            source: Source::Directory(Directory::new(args.config)),
            resolve: args.resolve,
            access_log: args.access_log,
            drain_limit: Duration::from_secs(args.drain_limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn sinks_and_overrides_are_read() {
        let args = [
            "keypool-proxy",
            "--access-log",
            "none",
            "--resolve",
            "a.example:443:10.0.0.1",
            "--exchange",
            "none",
        ];
        let options = Options::from(Args::try_parse_from(args).unwrap());
        assert_eq!(options.access_log, Sink::None);
        assert_eq!(options.resolve.len(), 1);
        assert_eq!(options.drain_limit, Duration::from_secs(300));
        assert_eq!(options.exchange, None);
        assert_eq!(options.health.map(|at| at.port()), Some(HEALTH_PORT));
        for bad in [
            ["--access-log", ""],
            ["--resolve", "a"],
            ["--listen", "nowhere"],
            ["--health", "nowhere"],
            ["--drain-limit", "-1"],
        ] {
            assert!(
                Args::try_parse_from(["keypool-proxy"].into_iter().chain(bad)).is_err(),
                "{bad:?}"
            );
        }
    }
}

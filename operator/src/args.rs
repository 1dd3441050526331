//! The operator's flags. Parsing has no effects.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use clap::Parser;

/// Keypool's operator: turns ModelProviders and LoadBalanceGroups into proxies, and what the proxies learn into status.
#[derive(Clone, Debug, Parser)]
#[command(name = "keypool-operator", version)]
pub struct Args {
    /// Image of the proxies, with tag or digest.
    #[arg(long, env = "KEYPOOL_PROXY_IMAGE")]
    pub proxy_image: String,
    /// Pull policy of that image.
    #[arg(long, default_value = "IfNotPresent", value_parser = ["Always", "IfNotPresent", "Never"])]
    pub proxy_image_pull_policy: String,
    /// Namespace of the operator: its Lease and its identity Secret are there.
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: String,
    /// Name of this instance in the Lease and in Events.
    #[arg(long, env = "POD_NAME", default_value = "keypool-operator")]
    pub instance: String,
    /// The one namespace to serve; all where it is left out.
    #[arg(long, env = "KEYPOOL_WATCH_NAMESPACE")]
    pub watch_namespace: Option<String>,
    /// Only Secrets that carry `keypool.dev/allowed-hosts` may be used.
    #[arg(long)]
    pub require_allowed_hosts: bool,
    /// Where health and metrics are served.
    #[arg(long, default_value_t = any(8081))]
    pub health_listen: SocketAddr,
    /// Name of the Lease.
    #[arg(long, default_value = "keypool-operator")]
    pub lease_name: String,
    /// Seconds that others wait without a renewal before they take over.
    #[arg(long, default_value = "15", value_parser = seconds)]
    pub lease_duration: Duration,
    /// Seconds that the holder tries to renew before it gives up.
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub renew_deadline: Duration,
    /// Seconds between two looks at the Lease.
    #[arg(long, default_value = "2", value_parser = seconds)]
    pub retry_period: Duration,
}

/// All addresses of both families; of IPv4 alone on a machine that has no other.
fn any(port: u16) -> SocketAddr {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    match UdpSocket::bind(both) {
        Ok(_) => SocketAddr::new(both.ip(), port),
        Err(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds)),
        _ => Err("a whole number of seconds from 1 to 3600".into()),
    }
}

impl Args {
    /// What no single flag can say.
    ///
    /// # Errors
    /// A sentence that names the flags.
    pub fn check(&self) -> Result<(), String> {
        if self.renew_deadline >= self.lease_duration || self.retry_period >= self.renew_deadline {
            return Err(
                "--retry-period must be less than --renew-deadline, and that less than --lease-duration"
                    .into(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn health_is_served_in_every_family_that_the_machine_has() {
        let needed = ["keypool-operator", "--proxy-image=p:1", "--namespace=n"];
        let args = Args::try_parse_from(needed).unwrap();
        assert_eq!(args.health_listen.port(), 8081);
        let listener = TcpListener::bind((args.health_listen.ip(), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            if TcpListener::bind((ip, 0)).is_ok() {
                assert!(TcpStream::connect((ip, port)).is_ok(), "{ip}");
            }
        }
    }
}

//! What is decided before a fake provider starts and does not change while it runs.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::scenario::{Key, Scenario};

/// How to start a fake provider. The default serves any key on free ports of the loopback address.
#[derive(Debug, Clone)]
pub struct Options {
    /// Plain HTTP; none: no such listener.
    pub listen: Option<SocketAddr>,
    /// HTTPS; none: no such listener.
    pub listen_tls: Option<SocketAddr>,
    /// Control API; none: no such listener.
    pub control: Option<SocketAddr>,
    /// DNS names and addresses on the server certificate, besides the local ones.
    pub tls_names: Vec<String>,
    /// The behaviour at start.
    pub scenario: Scenario,
    /// Whether requests are recorded.
    pub record: bool,
    /// How many requests the log keeps.
    pub log_cap: usize,
    /// Threads that serve; 0: one for each core.
    pub workers: usize,
}

impl Default for Options {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: Some(any),
            listen_tls: None,
            control: None,
            tls_names: Vec::new(),
            scenario: Scenario::default(),
            record: true,
            log_cap: 200_000,
            workers: 1,
        }
    }
}

impl Options {
    /// The default with these keys.
    pub fn with_keys(keys: impl IntoIterator<Item = Key>) -> Self {
        let scenario = Scenario {
            keys: keys.into_iter().collect(),
            ..Scenario::default()
        };
        Self {
            scenario,
            ..Self::default()
        }
    }

    /// With an HTTPS listener on a free port, its certificate for these names and the local ones.
    #[must_use]
    pub fn tls(mut self, names: &[&str]) -> Self {
        self.listen_tls = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        self.tls_names = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// With a control API on a free port.
    #[must_use]
    pub fn controlled(mut self) -> Self {
        self.control = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        self
    }
}

/// Where a fake provider listens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Plain HTTP.
    pub http: Option<SocketAddr>,
    /// HTTPS.
    pub https: Option<SocketAddr>,
    /// Control API.
    pub control: Option<SocketAddr>,
}

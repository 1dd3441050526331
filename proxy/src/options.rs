//! How a proxy is set up, whoever starts it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::Source;
use crate::telemetry::Sink;
use crate::upstream::Override;

/// How a proxy is set up. Port 0 takes any free port; [`crate::Proxy::addresses`] tells which.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where clients are served.
    pub clients: SocketAddr,
    /// Where health and metrics are served; nowhere without it.
    pub health: Option<SocketAddr>,
    /// Where the leader is served. Needs a directory as source, which holds certificate and token.
    pub exchange: Option<SocketAddr>,
    /// Where documents come from.
    pub source: Source,
    /// Stand in for DNS towards providers.
    pub resolve: Vec<Override>,
    /// Where the access log goes.
    pub access_log: Sink,
    /// How long open requests may go on when the proxy ends.
    pub drain_limit: Duration,
}

/// Where a started proxy listens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Addresses {
    /// Clients.
    pub clients: SocketAddr,
    /// Health and metrics.
    pub health: Option<SocketAddr>,
    /// The leader.
    pub exchange: Option<SocketAddr>,
}

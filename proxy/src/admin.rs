//! What people, Kubernetes and the leader ask a proxy, on two listeners of their own.
//!
//! * health, plain HTTP: `/healthz`, `/readyz`, `/metrics`. Nothing of the configuration can be read there.
//! * exchange, TLS and a bearer token: `POST /v1/exchange`, for the leader.
//!
//! Everything else is 404 (on the exchange: 401 first). Both have small limits, so that neither can be used to exhaust
//! the process.

mod exchange;
mod exchange_http;
mod health;
mod identity;
mod key_metrics;
pub(crate) mod listen;

pub use exchange::Exchange;
pub use health::Health;
pub use identity::{Identity, IdentityError};

pub(crate) use exchange_http::serve as serve_exchange;
pub(crate) use health::serve as serve_health;
pub(crate) use key_metrics::KeyMetrics;

#[cfg(test)]
mod tests;

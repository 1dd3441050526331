//! The data plane: takes clients' requests, chooses a key, and passes bytes through.
//!
//! ```text
//! config ──compiles──> runtime::Snapshot ──> inbound ─> forward ─┬─ pool (chooses, learns)
//!   ^ directory, exchange                                        ├─ upstream (connections)
//! admin (health, metrics, exchange)      probe ──────────────────┘  telemetry (metrics, access log)
//! ```

pub mod admin;
pub mod config;
pub mod forward;
mod gather;
pub mod inbound;
mod options;
pub mod pool;
pub mod probe;
mod proxy;
pub mod runtime;
pub mod telemetry;
pub mod upstream;

pub use options::{Addresses, Options};
pub use proxy::{Proxy, StartError};

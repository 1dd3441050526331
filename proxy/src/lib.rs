//! The data plane: takes clients' requests, chooses a key, and passes bytes through.
//!
//! ```text
//! config ──compiles──> runtime::Snapshot ──> inbound ─> forward ─┬─ pool (chooses, learns)
//!   ^ directory, exchange                                        ├─ upstream (connections)
//! admin (health, metrics, exchange)      probe ──────────────────┘  telemetry (metrics, access log)
//! ```

pub mod admin;
pub mod config;
pub mod pool;
pub mod probe;
pub mod runtime;
pub mod telemetry;
pub mod upstream;

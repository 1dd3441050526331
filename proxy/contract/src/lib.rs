//! The contract between the operator, which writes it, and the proxy, which reads it.
//!
//! Two rules shape this crate. It knows neither Kubernetes nor the proxy's engine, so that both sides can be tested
//! against it alone; and every bound on a document lives here once. It reads no clock and opens no connection:
//! times travel as milliseconds that remain.

pub mod client_key;
pub mod document;
pub mod exchange;
pub mod limits;
pub mod provider_type;
pub mod secret;
pub mod verdict;

pub use client_key::{ClientKeyHash, Salt};
pub use document::{ConfigError, ConfigErrorCode, Document, Encoded};
pub use provider_type::ProviderType;
pub use secret::Secret;

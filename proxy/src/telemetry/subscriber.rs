//! The process's own log: JSON lines on standard error.

use tracing_subscriber::EnvFilter;

/// Installs the log for the process. `filter` is in the form of `RUST_LOG`; one that cannot be read means `info`. A second
/// call changes nothing.
pub fn subscribe(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}

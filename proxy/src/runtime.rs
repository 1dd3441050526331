//! A document, compiled for serving.
//!
//! The rule: a request takes one [`Snapshot`] at its beginning and keeps it to its end, so no two documents mix within
//! a request. A snapshot is built once per document, holds everything in the form in which a request needs it, and is
//! never changed; a document that cannot be compiled leaves the last good snapshot in place.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

mod clients;
mod compile;
mod endpoint;
#[cfg(test)]
pub(crate) mod fixtures;
mod group;
mod headers;
mod provider;
mod snapshot;
mod tls;

pub use clients::{Admitted, Denied};
pub use endpoint::{Endpoint, EndpointKey, Roots};
pub use group::{Group, Member, Resolution};
pub use keypool_balance::MemberSet;
pub use provider::{Credential, Provider};
pub use snapshot::{Snapshot, SnapshotId};

/// The running snapshot, shared by everything in the process.
#[derive(Default)]
pub struct Runtime(ArcSwapOption<Snapshot>);

impl Runtime {
    /// What runs now; none before the first document.
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.0.load_full()
    }

    /// Replaces what runs. Only `config` calls this, after the pool has taken the snapshot in.
    pub(crate) fn replace(&self, snapshot: Arc<Snapshot>) {
        self.0.store(Some(snapshot));
    }
}

#[cfg(test)]
mod tests;

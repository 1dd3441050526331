//! What every pod of one fleet should run, and how to reach it.

use keypool_contract::Encoded;
use keypool_contract::document::Stamp;
use keypool_contract::exchange::ClearCooldown;
use zeroize::Zeroizing;

use crate::ledger::DocumentScope;

/// What a fleet's pods should run. It exists only after the rendered Secret was written with the same bytes.
#[derive(Clone)]
pub struct Desired {
    /// The document's place in its history.
    pub stamp: Stamp,
    /// Its bytes.
    pub document: Encoded,
    /// What it holds.
    pub scope: DocumentScope,
    /// The pods' certificate (PEM).
    pub certificate: String,
    /// The pods' bearer token.
    pub token: Zeroizing<String>,
    /// Cooldowns that a person wants ended; a pod acts once per token.
    pub clear_cooldowns: Vec<ClearCooldown>,
}

impl Desired {
    /// Whether pods would be told the same; stamp and scope are the document's.
    pub fn is(&self, other: &Self) -> bool {
        self.document.hash() == other.document.hash()
            && self.certificate == other.certificate
            && self.token == other.token
            && self.clear_cooldowns == other.clear_cooldowns
    }
}

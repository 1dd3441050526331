//! Why a pass ended early, and what happens then.
//!
//! What only a change can mend is no error: it is a condition of the resource. An error is a call that failed; the pass is tried again, later each
//! time.

use crate::k8s::apply::ApplyError;
use crate::k8s::read::ReadError;
use crate::material::MaterialError;

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A referenced object could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A child could not be read or written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Random parts could not be made.
    #[error(transparent)]
    Material(#[from] MaterialError),
}

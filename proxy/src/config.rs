//! Which document runs.
//!
//! Documents come by two ways: mounted (a directory, or the local mode's channel) and over the exchange. Generations
//! compare only within a lineage, and of one lineage the higher generation runs, whichever way it came. A *mounted* document
//! of another lineage replaces whatever is held. One that comes over the exchange does not: lineage, certificate and
//! bearer token are made together with the rendered Secret, so who may speak on the exchange speaks for the lineage that
//! is mounted; a new one follows the mount within a second of its arrival there.
//!
//! A document that cannot be used changes nothing but `lastError`.

mod directory;
mod intake;
mod source;

pub use directory::Directory;
pub use intake::{Decision, Intake, Origin};
pub use source::Source;

#[cfg(test)]
mod tests;

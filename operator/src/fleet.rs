//! One exchange per pod: document and advisories out, acknowledgement and verdicts in.
//!
//! ```text
//! reconcile ──Desired──▶ Roster ──one task per pod──▶ pod's admin port
//! status    ◀──News───── Knowledge (ledger, reports) ◀── answers
//! ```

pub mod client;
pub mod desired;
pub mod knowledge;
pub mod pod;
pub mod roster;

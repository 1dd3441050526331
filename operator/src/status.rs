//! Writing statuses: what counts as a change, how often one object is written, and which Events a change is worth. Pure decisions; one
//! writer task carries them out.

pub mod bucket;
pub mod compare;
pub mod events;
pub mod writer;

pub use bucket::{Bucket, Permit};
pub use compare::{Change, Comparable};
pub use events::{KeyEvent, key_events};

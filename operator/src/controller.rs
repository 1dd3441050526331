//! The two kinds, each in five steps: dereference (client) · validate (pure) · build (pure) · apply (client) · status (pure).
//!
//! The pure steps are the same functions in the cluster, in local mode and in tests. They know no client, no clock and no
//! randomness: what was fetched, the time and fresh material are arguments.

pub mod load_balance_group;
pub mod model_provider;

pub mod context;
pub mod drive;
pub mod error;
pub mod survey;
pub mod watches;

//! The pure core of Keypool's proxy: which target serves a request, what an outcome teaches, whether another attempt is made.
//!
//! No clock, no I/O, no `async`, no randomness of its own: time is an argument, randomness comes from the caller's seed. A simulator drives this very code.
//!
//! ```text
//! Config ─> Balancer ── pick ──> Pick{ticket} ─ (the caller sends) ─> settle(ticket, Observation) ──> Next
//!              │  ^                                                        │
//!   take_changes  apply_advisories, confirm(probe), clear_cooldown         └─> cooldowns, breakers, key states
//!   reports_since, health
//! ```

mod attempts;
mod balancer;
mod breaker;
mod budget;
pub mod config;
mod cooldown;
mod endpoint;
mod gate;
mod group;
pub mod health;
mod ids;
mod journal;
mod key;
mod lane;
mod layout;
mod member_set;
mod no_target;
mod observation;
mod provider;
mod random;
mod rest;
mod retry;
mod time;
mod timers;
pub mod verdict;
mod window;
mod wrr;

pub use attempts::Attempts;
pub use balancer::{Balancer, Pick, ProbeTicket, Request, Ticket};
pub use config::{Config, ConfigError};
pub use member_set::MemberSet;
pub use no_target::NoTarget;
pub use observation::{Account, EnvFault, Observation, ProbeVerdict, Proof, Reach};
pub use retry::{Next, StopReason};
pub use time::Time;
pub use verdict::{Advisory, Change, Report, Reports};

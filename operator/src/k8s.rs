//! The only code that touches kube's client.
//!
//! Two rules. Every watch has its own backoff and never hands an error to a controller: kube merges a controller's streams behind one
//! backoff, so one refused watch would starve all others. And no request waits for ever: watches and requests use two clients.

pub mod apply;
pub mod clients;
pub mod events;
pub mod identity;
pub mod lease;
pub mod ownership;
pub mod read;
pub mod watch;

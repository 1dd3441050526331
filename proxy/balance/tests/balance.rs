//! The balancer from outside: what its users can rely on.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "balance/advice.rs"]
mod advice;
#[path = "balance/advised.rs"]
mod advised;
#[path = "balance/auth.rs"]
mod auth;
#[path = "balance/breaker.rs"]
mod breaker;
#[path = "balance/cooldown.rs"]
mod cooldown;
#[path = "balance/credit.rs"]
mod credit;
#[path = "balance/doubt.rs"]
mod doubt;
#[path = "balance/health.rs"]
mod health;
#[path = "balance/history.rs"]
mod history;
#[path = "balance/nothing.rs"]
mod nothing;
#[path = "balance/retry.rs"]
mod retry;
#[path = "balance/shares.rs"]
mod shares;
#[path = "balance/update.rs"]
mod update;
#[path = "balance/world.rs"]
mod world;

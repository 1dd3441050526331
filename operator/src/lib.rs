//! Keypool's operator: turns ModelProviders and LoadBalanceGroups into proxies, and what the proxies learn into status.
//!
//! Two halves. `k8s` and `fleet` carry: they speak to the API server and to the pods. Everything else decides: it knows no client, no
//! clock and no randomness (`material` makes that), and is the same in the cluster, in local mode and in tests.

pub mod args;
pub mod clock;
pub mod conditions;
pub mod controller;
pub mod fleet;
pub mod health;
pub mod identity;
pub mod install;
pub mod k8s;
pub mod leader;
pub mod ledger;
pub mod material;
pub mod moment;
pub mod naming;
pub mod reference;
pub mod status;
pub mod telemetry;

#[cfg(test)]
mod fixtures;

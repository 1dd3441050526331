//! keypool-operator.

pub mod args;
pub mod fleet;
pub mod health;
pub mod k8s;
pub mod telemetry;

//! What is known about keys, and what clients get, outlive pods and the
//! operator. Facts are the fake provider's log and an independent watcher's
//! record.

#[path = "cluster_resilience/absent.rs"]
mod absent;
#[path = "cluster_resilience/kill.rs"]
mod kill;
#[path = "cluster_resilience/operators.rs"]
mod operators;
#[path = "cluster_resilience/outlives.rs"]
mod outlives;

use absent::cluster_without_operator;
use kill::cluster_scale_and_kill;
use outlives::cluster_verdict_outlives_pod;

keypool_tests::ring!(
    Cluster: cluster_scale_and_kill;
    alone: cluster_verdict_outlives_pod, cluster_without_operator
);

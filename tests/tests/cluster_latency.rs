//! How soon the status tells, and what that costs the API server. Facts are
//! the fake provider's log, an independent watcher's record and the API
//! server's audit log.

#[path = "cluster_latency/refusals.rs"]
mod refusals;
#[path = "cluster_latency/silence.rs"]
mod silence;
#[path = "cluster_latency/writes.rs"]
mod writes;

use refusals::cluster_refusals_show_in_time;
use silence::cluster_steady_traffic_writes_nothing;

// Each measures what all of them would share.
keypool_tests::ring!(
    Cluster:; alone: cluster_refusals_show_in_time, cluster_steady_traffic_writes_nothing
);

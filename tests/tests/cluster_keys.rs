//! The product does its main job on a real cluster, and what happens to keys
//! and providers shows so in time. Facts are the fake provider's log and an
//! independent watcher's record.

#[path = "cluster_keys/quickstart.rs"]
mod quickstart;

use quickstart::cluster_quickstart;

keypool_tests::ring!(Cluster: cluster_quickstart);

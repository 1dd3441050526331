//! How a change reaches the proxies, and what the status says about that.
//! Facts are the fake provider's log and an independent watcher's record.

#[path = "cluster_delivery/programmed.rs"]
mod programmed;
#[path = "cluster_delivery/volume.rs"]
mod volume;

use programmed::cluster_programmed_is_true_only_when_acknowledged;
use volume::cluster_volume_path;

keypool_tests::ring!(Cluster: cluster_volume_path, cluster_programmed_is_true_only_when_acknowledged);

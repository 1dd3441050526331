//! The product does its main job on a real cluster; what happens to keys and
//! providers, and what people get wrong, shows so in time. Facts are the fake provider's log and an
//! independent watcher's record.

#[path = "cluster_keys/bad_input.rs"]
mod bad_input;
#[path = "cluster_keys/clock.rs"]
mod clock;
#[path = "cluster_keys/failover.rs"]
mod failover;
#[path = "cluster_keys/limited.rs"]
mod limited;
#[path = "cluster_keys/quickstart.rs"]
mod quickstart;
#[path = "cluster_keys/revoked.rs"]
mod revoked;
#[path = "cluster_keys/share_nothing.rs"]
mod share_nothing;

use bad_input::cluster_bad_input;
use failover::cluster_failover_by_priority;
use limited::cluster_key_limited;
use quickstart::cluster_quickstart;
use revoked::cluster_key_revoked_and_mended;
use share_nothing::cluster_providers_share_nothing;

keypool_tests::ring!(
    Cluster: cluster_key_limited, cluster_quickstart, cluster_key_revoked_and_mended,
    cluster_failover_by_priority, cluster_providers_share_nothing, cluster_bad_input
);

//! The test harness: a real Kubernetes control plane and node, started by the
//! tests themselves, and the instruments that tests read facts from.
//!
//! A ring says what a test needs; the prefix of a test file names its ring.
//!
//! | prefix | ring | starts |
//! |---|---|---|
//! | `dataplane_` | none of this crate's | sockets and processes of its own |
//! | `admit_` | [`ring::Level::Api`] | etcd, kube-apiserver |
//! | `controller_` | [`ring::Level::Controllers`] | and kube-controller-manager |
//! | `cluster_` | [`ring::Level::Cluster`] | and a node with kubelet, containerd, Services, DNS |
//!
//! A test file of the last three is a list of `async fn(Test) -> anyhow::Result<()>`
//! and one [`ring!`](crate::ring!) line; see `tests/controller_harness.rs`.

pub mod canary;
pub mod control_plane;
pub mod helm;
pub mod images;
pub mod kubectl;
pub mod logs;
pub mod node;
pub mod pki;
pub mod process;
pub mod python;
pub mod ring;
pub mod run_dir;
pub mod say;
pub mod tools;
pub mod wait;
pub mod watcher;

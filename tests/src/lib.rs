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
//! and one [`ring!`](crate::ring!) line; `tests/controller_harness.rs` and
//! `tests/cluster_harness.rs` use most of what there is:
//!
//! ```ignore
//! keypool_tests::ring!(Cluster: quickstart; alone: without_api_server);
//!
//! async fn quickstart(test: Test) -> anyhow::Result<()> {
//!     let images = test.node()?.images();
//!     images.add(&Image::operator()?).await?;
//!     images.add(&Image::proxy()?).await?;
//!     test.helm()?.install("keypool", "keypool", &[]).await?;
//!     test.kubectl()?.apply(&manifests).await?;
//!     let watcher = Watcher::start(Api::namespaced_with(test.client(), test.namespace(), &kind)).await?;
//!     // The program is on the node's network: Services, pods and names answer.
//!     python::run(&script, &["http://group.namespace.svc.cluster.local"], &[]).await?;
//!     let mut scan = Scan::new([("first key", key)]);
//!     test.scan(&mut scan).await?;
//!     scan.finish()?;
//!     Ok(())
//! }
//! ```
//!
//! `keypool-testnode` starts the same cluster for a command, to look around.

pub mod canary;
pub mod control_plane;
pub mod guide;
pub mod helm;
pub mod images;
pub mod kubectl;
pub mod logs;
pub mod node;
pub mod pki;
pub mod process;
pub mod product;
pub mod python;
pub mod ring;
pub mod run_dir;
pub mod say;
pub mod tools;
pub mod wait;
pub mod watcher;

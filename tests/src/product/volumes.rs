//! Holding the volume path, so that a change can only come by the exchange.

use anyhow::Context as _;

use crate::node::Node;

/// The kubelet stands still until this is dropped: no volume is refreshed, no
/// pod starts, nothing is probed; running pods go on. Keep it short, the other
/// tests of the program wait too.
pub struct VolumesHeld<'a> {
    node: &'a Node,
}

impl<'a> VolumesHeld<'a> {
    pub fn new(node: &'a Node) -> anyhow::Result<Self> {
        node.component("kubelet").context("no kubelet")?.pause()?;
        Ok(Self { node })
    }
}

impl Drop for VolumesHeld<'_> {
    fn drop(&mut self) {
        if let Some(kubelet) = self.node.component("kubelet") {
            // A kubelet that is gone fails the tests that need it.
            let _ = kubelet.resume();
        }
    }
}

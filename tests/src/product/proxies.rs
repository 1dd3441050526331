//! The proxy pods of a group.

use std::net::IpAddr;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;

use crate::node::pod_process::{self, PodProcess};

/// One proxy pod that is not on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    pub name: String,
    pub uid: String,
    pub address: IpAddr,
    pub ready: bool,
}

impl Proxy {
    /// Where clients call it, past the Service.
    pub fn url(&self) -> String {
        format!("http://{}:8080", self.address)
    }

    /// Health and metrics.
    pub fn health_url(&self) -> String {
        format!("http://{}:8081", self.address)
    }

    /// Its process on the node: the same one as before has the same start time.
    pub fn process(&self) -> anyhow::Result<PodProcess> {
        let processes = pod_process::of(&self.uid);
        processes
            .into_iter()
            .find(|process| process.command.starts_with("keypool-proxy"))
            .with_context(|| format!("no proxy process in {}", self.name))
    }
}

/// The group's pods that have an address and are not terminating, by name.
pub(super) async fn list(pods: &Api<Pod>, group: &str) -> Result<Vec<Proxy>, kube::Error> {
    let labels = format!("app.kubernetes.io/name=keypool-proxy,app.kubernetes.io/instance={group}");
    let pods = pods.list(&ListParams::default().labels(&labels)).await?;
    let mut proxies: Vec<Proxy> = pods.items.into_iter().filter_map(read).collect();
    proxies.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(proxies)
}

fn read(pod: Pod) -> Option<Proxy> {
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let status = pod.status?;
    let conditions = status.conditions.unwrap_or_default();
    Some(Proxy {
        name: pod.metadata.name?,
        uid: pod.metadata.uid?,
        address: status.pod_ip?.parse().ok()?,
        ready: conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True"),
    })
}

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

    /// Connections that it has open to a port of others, as its kernel counts
    /// them.
    pub fn connections(&self, port: u16) -> anyhow::Result<usize> {
        let directory = format!("/proc/{}/net", self.process()?.pid);
        let mut open = 0;
        for table in ["tcp", "tcp6"] {
            open += open_to(&std::fs::read_to_string(format!("{directory}/{table}"))?, port);
        }
        Ok(open)
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

/// Of a table of sockets: `sl local_address rem_address st …`, in hexadecimal;
/// both ends have closed in the states left out.
fn open_to(table: &str, port: u16) -> usize {
    const OPEN: [&str; 3] = ["01", "02", "08"];
    let remote = format!(":{port:04X}");
    let lines = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let open =
        lines.filter(|words| words.len() > 3 && words[2].ends_with(&remote) && OPEN.contains(&words[3]));
    open.count()
}

/// All pods of the group, those on their way out too.
pub(super) async fn pods(pods: &Api<Pod>, group: &str) -> Result<Vec<Pod>, kube::Error> {
    let labels = format!("app.kubernetes.io/name=keypool-proxy,app.kubernetes.io/instance={group}");
    Ok(pods.list(&ListParams::default().labels(&labels)).await?.items)
}

/// The pods of all groups that have an address and are not terminating.
pub(super) async fn of_all_groups(api: &Api<Pod>) -> Result<Vec<Proxy>, kube::Error> {
    let labels = ListParams::default().labels("app.kubernetes.io/name=keypool-proxy");
    Ok(api
        .list(&labels)
        .await?
        .items
        .into_iter()
        .filter_map(read)
        .collect())
}

/// The group's pods that have an address and are not terminating, by name.
pub(super) async fn list(api: &Api<Pod>, group: &str) -> Result<Vec<Proxy>, kube::Error> {
    let mut proxies: Vec<Proxy> = pods(api, group).await?.into_iter().filter_map(read).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_connections_are_counted_by_the_other_end() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
                     0: 0100007F:20FB 00000000:0000 0A 0:0\n\
                     1: 0100007F:9C40 0A60460A:20FB 01 0:0\n\
                     2: 0100007F:9C41 0A60460A:20FB 08 0:0\n\
                     3: 0100007F:9C42 0A60460A:20FB 06 0:0\n\
                     4: 0100007F:20FB 0A60460A:9C40 01 0:0\n";
        assert_eq!(open_to(table, 8443), 2);
    }
}

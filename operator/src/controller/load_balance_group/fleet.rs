//! The pods of a group, from what the API server and the pods themselves told.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use keypool_crds::v1alpha1::LoadBalanceGroup;
use kube::ResourceExt;

use super::build::{CONTAINER, GROUP_LABEL};
use super::status::{Fleet, PodExchange, PodView};
use crate::controller::context::Context;
use crate::fleet::pod::PodAddress;
use crate::moment::Monotonic;

/// The fleet of a group as this leader sees it.
pub fn view(context: &Context, group: &LoadBalanceGroup) -> Fleet {
    let now = context.clock.now().monotonic;
    let pods = pods(context, group)
        .iter()
        .map(|pod| pod_view(context, pod, now))
        .collect();
    Fleet {
        wanted: group.spec.proxy.replicas,
        pods,
        leading_since: context.leading_since,
    }
}

/// The pods with which to be in an exchange: those that run and have an address.
pub fn addresses(context: &Context, group: &LoadBalanceGroup) -> Vec<PodAddress> {
    let address = |pod: &std::sync::Arc<Pod>| {
        let ip: IpAddr = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
        (running(pod) && !ended(pod)).then(|| PodAddress {
            uid: pod.uid().unwrap_or_default(),
            name: pod.name_any(),
            ip,
        })
    };
    pods(context, group).iter().filter_map(address).collect()
}

fn pods(context: &Context, group: &LoadBalanceGroup) -> Vec<std::sync::Arc<Pod>> {
    let (namespace, name) = (group.namespace(), group.name_any());
    let of_group = |pod: &std::sync::Arc<Pod>| {
        pod.namespace() == namespace && pod.labels().get(GROUP_LABEL) == Some(&name) && !ended(pod)
    };
    let mut pods: Vec<_> = context.stores.pods.state().into_iter().filter(of_group).collect();
    pods.sort_by_key(|pod| pod.name_any());
    pods
}

fn pod_view(context: &Context, pod: &Pod, now: Monotonic) -> PodView {
    let uid = pod.uid().unwrap_or_default();
    let report = context.knowledge.report(&uid);
    PodView {
        name: pod.name_any(),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        running: running(pod),
        ready: ready(pod),
        running_since: if running(pod) {
            context.knowledge.running_since(&uid)
        } else {
            now
        },
        exchange: report.map(|report| PodExchange {
            instance: report.instance,
            acknowledgement: report.acknowledgement,
            heard: report.heard,
        }),
    }
}

fn running(pod: &Pod) -> bool {
    let statuses = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    let of_proxy = statuses.filter(|status| status.name == CONTAINER);
    of_proxy
        .filter_map(|status| status.state.as_ref())
        .any(|state| state.running.is_some())
}

fn ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Evicted and completed pods stay as objects for a while and serve nothing.
fn ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

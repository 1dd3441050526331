//! The Service that clients call: port 80 → the proxies' client port.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{proxy_metadata, selector};
use crate::controller::load_balance_group::ValidatedGroup;

pub(super) fn build(group: &ValidatedGroup) -> Service {
    Service {
        metadata: proxy_metadata(group),
        spec: Some(ServiceSpec {
            selector: Some(selector(&group.id.name)),
            ports: Some(vec![ServicePort {
                name: Some("http".into()),
                app_protocol: Some("http".into()),
                port: 80,
                protocol: Some("TCP".into()),
                target_port: Some(IntOrString::String("http".into())),
                ..ServicePort::default()
            }]),
            type_: Some("ClusterIP".into()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

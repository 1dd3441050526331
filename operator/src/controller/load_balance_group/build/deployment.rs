//! The proxies' Deployment.
//!
//! The pods are restricted and have no API token. Nothing of the document stands in the template: everything in it is reloaded. What does
//! stand there is structure, and its hash is an annotation, so that a pass can tell a rollout from a reload.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, HTTPGetAction, Lifecycle, LifecycleHandler, LocalObjectReference,
    PodSecurityContext, PodSpec, PodTemplateSpec, Probe, SeccompProfile, SecretVolumeSource, SecurityContext,
    SleepAction, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use keypool_contract::client_key::hex;
use keypool_contract::limits::{CLIENT_PORT, EXCHANGE_PORT, HEALTH_PORT};
use sha2::{Digest, Sha256};

use super::{CONTAINER, labels, proxy_metadata, selector};
use crate::controller::load_balance_group::{ValidatedGroup, names};
use crate::install::Install;

/// Annotation of the Deployment and its pods: the hash of the pod template, which changes with the structure alone.
pub const TEMPLATE_HASH: &str = "keypool.dev/template-hash";

/// Where the rendered Secret is mounted, as a directory: a single file would never be updated. It is where the proxy looks when it is
/// not told otherwise; its ports are the contract's by default, too, on both address families where the node has them. So there
/// are no arguments.
const CONFIG_DIR: &str = "/etc/keypool";
/// The user and group of the pods.
const USER: i64 = 65_532;
/// Readable for the owner and the group, which is `fsGroup`.
const SECRET_MODE: i32 = 0o440;
/// From the end of readiness until connections are refused: other nodes still send new ones for so long.
const PRE_STOP_SECONDS: i64 = 10;
/// Pre-stop, the drain of 300 s and a margin.
const GRACE_SECONDS: i64 = 315;

pub(super) fn build(group: &ValidatedGroup, install: &Install) -> Deployment {
    let mut template = template(group, install);
    let hash = hash(&template);
    let annotation = BTreeMap::from([(TEMPLATE_HASH.to_owned(), hash)]);
    let mut metadata = proxy_metadata(group);
    metadata.annotations = Some(annotation.clone());
    template.metadata.get_or_insert_default().annotations = Some(annotation);
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(group.proxy.replicas),
            revision_history_limit: Some(2),
            selector: LabelSelector {
                match_labels: Some(selector(&group.id.name)),
                match_expressions: None,
            },
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".into()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(1)),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            template,
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn hash(template: &PodTemplateSpec) -> String {
    // A template always serialises; an empty text would only make every template the same.
    let text = serde_json::to_vec(template).unwrap_or_default();
    let mut hash = hex(&Sha256::digest(&text));
    hash.truncate(16);
    hash
}

fn template(group: &ValidatedGroup, install: &Install) -> PodTemplateSpec {
    let name = names::proxy(&group.id.name);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels(&group.id.name)),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            automount_service_account_token: Some(false),
            containers: vec![container(group, install)],
            enable_service_links: Some(false),
            image_pull_secrets: pull_secrets(group),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                run_as_user: Some(USER),
                run_as_group: Some(USER),
                fs_group: Some(USER),
                seccomp_profile: Some(runtime_default()),
                ..PodSecurityContext::default()
            }),
            service_account_name: Some(name.clone()),
            termination_grace_period_seconds: Some(GRACE_SECONDS),
            topology_spread_constraints: Some(vec![spread(&group.id.name)]),
            volumes: Some(vec![Volume {
                name: "config".into(),
                secret: Some(SecretVolumeSource {
                    secret_name: Some(name),
                    default_mode: Some(SECRET_MODE),
                    ..SecretVolumeSource::default()
                }),
                ..Volume::default()
            }]),
            ..PodSpec::default()
        }),
    }
}

fn pull_secrets(group: &ValidatedGroup) -> Option<Vec<LocalObjectReference>> {
    let names = group.proxy.image_pull_secrets.iter();
    let secrets: Vec<_> = names
        .map(|name| LocalObjectReference { name: name.clone() })
        .collect();
    (!secrets.is_empty()).then_some(secrets)
}

/// On different nodes where that is possible; never a reason not to run.
fn spread(group: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        label_selector: Some(LabelSelector {
            match_labels: Some(selector(group)),
            match_expressions: None,
        }),
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".into(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        ..TopologySpreadConstraint::default()
    }
}

fn container(group: &ValidatedGroup, install: &Install) -> Container {
    Container {
        name: CONTAINER.into(),
        image: Some(install.proxy_image.clone()),
        image_pull_policy: Some(install.proxy_image_pull_policy.clone()),
        ports: Some(vec![
            port("http", CLIENT_PORT),
            port("health", HEALTH_PORT),
            port("exchange", EXCHANGE_PORT),
        ]),
        resources: group.proxy.resources.clone(),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                add: None,
                drop: Some(vec!["ALL".into()]),
            }),
            privileged: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            seccomp_profile: Some(runtime_default()),
            ..SecurityContext::default()
        }),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction {
                    seconds: PRE_STOP_SECONDS,
                }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        startup_probe: Some(Probe {
            failure_threshold: Some(30),
            ..probe("/healthz", 1)
        }),
        liveness_probe: Some(Probe {
            failure_threshold: Some(3),
            ..probe("/healthz", 10)
        }),
        readiness_probe: Some(Probe {
            failure_threshold: Some(2),
            ..probe("/readyz", 2)
        }),
        volume_mounts: Some(vec![VolumeMount {
            name: "config".into(),
            mount_path: CONFIG_DIR.into(),
            read_only: Some(true),
            ..VolumeMount::default()
        }]),
        ..Container::default()
    }
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.into()),
        container_port: i32::from(number),
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str, period: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::String("health".into()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile {
        type_: "RuntimeDefault".into(),
        localhost_profile: None,
    }
}

//! kube-apiserver, with an audit log that tests compare rights with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use super::{Error, write};
use crate::pki::{Authority, TokenKeys};
use crate::process::Spec;
use crate::tools;

/// Service addresses; the first one is the API server's own.
pub const SERVICE_RANGE: &str = "10.96.0.0/16";
const OWN_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// Who asked for what and how it was answered, once per request. Bodies stay
/// out: the canary scan would find the Secrets in them.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: None
    nonResourceURLs: ['/readyz*', '/livez*', '/healthz*', '/openapi*', '/version*']
  - level: None
    userGroups: ['system:nodes']
  - level: Metadata
    omitManagedFields: true
";

pub(super) struct Settings<'a> {
    pub(super) authority: &'a Authority,
    pub(super) tokens: &'a TokenKeys,
    pub(super) server: SocketAddr,
    pub(super) has_node: bool,
    pub(super) etcd_port: u16,
    pub(super) audit_log: &'a Path,
    pub(super) directory: &'a Path,
    pub(super) logs: &'a Path,
}

pub(super) fn spec(settings: &Settings<'_>) -> Result<Spec, Error> {
    let Settings {
        authority,
        tokens,
        server,
        has_node,
        etcd_port,
        audit_log,
        directory,
        logs,
    } = *settings;
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ];
    let addresses = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V4(OWN_SERVICE),
        server.ip(),
    ];
    let own = authority.server("kube-apiserver", &names, &addresses)?;
    let to_kubelet = authority.client("kube-apiserver-to-kubelet", "kube-apiserver", "system:masters")?;
    let policy = write(directory.join("audit-policy.yaml"), AUDIT_POLICY)?;

    let ca = authority.certificate();
    let mut flags = vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        format!("--secure-port={}", server.port()),
        format!("--client-ca-file={}", ca.display()),
        format!("--tls-cert-file={}", own.certificate.display()),
        format!("--tls-private-key-file={}", own.key.display()),
        format!("--cert-dir={}", directory.display()),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-key-file={}", tokens.public.display()),
        format!("--service-account-signing-key-file={}", tokens.signing.display()),
        format!("--service-cluster-ip-range={SERVICE_RANGE}"),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--profiling=false".to_owned(),
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", audit_log.display()),
        // The default mode blocks; a lost line would be a lost fact.
        "--audit-log-mode=blocking-strict".to_owned(),
        format!(
            "--kubelet-client-certificate={}",
            to_kubelet.certificate.display()
        ),
        format!("--kubelet-client-key={}", to_kubelet.key.display()),
        format!("--kubelet-certificate-authority={}", ca.display()),
        // Else `exec` and `logs` ask DNS for the node's name.
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
    ];
    if has_node {
        flags.push("--bind-address=0.0.0.0".to_owned());
        flags.push(format!("--advertise-address={}", server.ip()));
    } else {
        // A loopback address is refused as the endpoint of the API's own
        // Service; nobody reaches Services without a node anyway.
        flags.push(format!("--bind-address={}", server.ip()));
        flags.push("--endpoint-reconciler-type=none".to_owned());
    }
    Ok(Spec::new("kube-apiserver", tools::KUBE_APISERVER.path()?, logs).args(flags))
}

//! etcd for a run: nothing it stores has to outlive the run, so it never waits
//! for the disk.

use std::path::Path;

use super::Error;
use super::ports::Ports;
use crate::process::Spec;
use crate::tools;

pub(super) fn spec(data: &Path, ports: &Ports, logs: &Path) -> Result<Spec, Error> {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    Ok(Spec::new("etcd", tools::ETCD.path()?, logs).args([
        "--name=default".to_owned(),
        format!("--data-dir={}", data.display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ]))
}

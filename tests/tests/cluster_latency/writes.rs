//! What the operator wrote, by the API server's audit log.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use keypool_tests::control_plane::audit::{self, Request};
use keypool_tests::ring::Test;

const OPERATOR: &str = "system:serviceaccount:keypool-system:keypool-operator";

/// The operator's writes since a moment, in this test's namespace and its own;
/// Lease renewals aside.
pub(crate) fn since(test: &Test, begun: Timestamp) -> anyhow::Result<Vec<Request>> {
    let log = audit::read(test.control_plane()?.audit_log())?;
    let writes = log.into_iter().filter(|request| {
        request.user == OPERATOR
            && !["get", "list", "watch"].contains(&request.verb.as_str())
            && request.resource != "leases"
            && [test.namespace(), "keypool-system"].contains(&request.namespace.as_str())
            && request.time.parse::<Timestamp>().is_ok_and(|at| at >= begun)
    });
    Ok(writes.collect())
}

/// When the status of each object of a kind was written, in order.
pub(crate) fn of_status(writes: &[Request], kind: &str) -> anyhow::Result<BTreeMap<String, Vec<Timestamp>>> {
    let resource = format!("{kind}/status");
    let mut times: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for write in writes.iter().filter(|write| write.resource == resource) {
        times
            .entry(write.name.clone())
            .or_default()
            .push(write.time.parse()?);
    }
    times.values_mut().for_each(|times| times.sort());
    Ok(times)
}

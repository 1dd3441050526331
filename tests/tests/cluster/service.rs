//! A group's Service as its clients meet it.

use keypool_tests::product::{Caller, LIMIT};
use keypool_tests::wait;

/// Waits until the Service leads to a proxy: the node's rules follow a pod's
/// readiness by a moment, and refuse connections until then.
pub(crate) async fn answering(caller: Caller) -> anyhow::Result<Caller> {
    wait::until("the Service to lead to a proxy", LIMIT, || async {
        match caller.chat("are you there").await {
            Ok(reply) if reply.is_answer() => Ok(()),
            Ok(reply) => Err(reply.text()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    Ok(caller)
}

//! Tells people once when a key changes its state: names, never values.

use std::collections::HashMap;
use std::sync::Arc;

use keypool_balance::health::KeyState;

use super::Pool;

impl Pool {
    /// Logs every change of a key's state, for as long as the process lives.
    pub(crate) async fn tell_transitions(self: Arc<Self>) {
        let mut changes = self.changes();
        let mut known: HashMap<(Arc<str>, Arc<str>), KeyState> = HashMap::new();
        loop {
            self.tell(&mut known);
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn tell(&self, known: &mut HashMap<(Arc<str>, Arc<str>), KeyState>) {
        let (health, now) = self.health();
        let mut next = HashMap::new();
        for provider in health {
            for credential in provider.credentials {
                let key = (provider.uid.clone(), credential.fingerprint.clone());
                if let Some(before) = known.get(&key).filter(|before| **before != credential.state) {
                    tracing::info!(
                        provider = self.provider_name(&provider.uid),
                        credential = &*credential.name,
                        fingerprint = &*credential.fingerprint,
                        from = ?before,
                        to = ?credential.state,
                        reason = ?credential.reason,
                        for_seconds = credential.until.map(|until| until.since(now).as_secs()),
                        "key changed its state"
                    );
                }
                next.insert(key, credential.state);
            }
        }
        *known = next;
    }

    fn provider_name(&self, uid: &str) -> String {
        let state = self.state.lock();
        state
            .as_ref()
            .and_then(|balanced| balanced.snapshot.provider(uid))
            .map_or_else(
                || uid.to_owned(),
                |provider| format!("{}/{}", provider.namespace, provider.name),
            )
    }
}

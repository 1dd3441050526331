//! Live reads of the objects that a spec refers to.
//!
//! The operator keeps no copy of Secrets: it watches their metadata and reads the few that are referenced when they change.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use parking_lot::Mutex;

use crate::moment::Monotonic;
use crate::reference::{Fetched, Kind, Lookup, MISSING_GRACE, Reference};

/// The API server was asked and gave no answer that decides anything.
#[derive(Debug, thiserror::Error)]
#[error("{reference} in namespace {} could not be read", reference.namespace)]
pub struct ReadError {
    /// What was asked for.
    pub reference: Reference,
    /// What the API server or the connection said.
    #[source]
    pub source: kube::Error,
}

/// Reads references, and remembers since when one has been missing.
pub struct Reader {
    client: Client,
    missing: Mutex<HashMap<Reference, Monotonic>>,
}

impl Reader {
    /// A reader that has seen nothing yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            missing: Mutex::default(),
        }
    }

    fn lasts(&self, reference: &Reference, now: Monotonic) -> bool {
        let since = *self.missing.lock().entry(reference.clone()).or_insert(now);
        now.since(since) >= MISSING_GRACE
    }

    /// Reads all, each as it is now.
    ///
    /// # Errors
    /// [`ReadError`] for the first that could not be asked for: then nothing is decided.
    pub async fn fetch(&self, references: BTreeSet<Reference>, now: Monotonic) -> Result<Fetched, ReadError> {
        let mut fetched = Fetched::default();
        for reference in references {
            let read = match reference.kind {
                Kind::Secret => {
                    let api: Api<Secret> = Api::namespaced(self.client.clone(), &reference.namespace);
                    api.get_opt(&reference.name)
                        .await
                        .map(|found| found.map(Into::into))
                }
                Kind::ConfigMap => {
                    let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &reference.namespace);
                    api.get_opt(&reference.name)
                        .await
                        .map(|found| found.map(Into::into))
                }
            };
            let lookup = match read {
                Ok(Some(object)) => {
                    self.missing.lock().remove(&reference);
                    Lookup::Found(object)
                }
                Ok(None) => {
                    let since = *self.missing.lock().entry(reference.clone()).or_insert(now);
                    Lookup::NotFound { since }
                }
                // Rights come and go while a cluster starts or a chart is upgraded: only a refusal that lasts decides.
                Err(kube::Error::Api(status)) if status.code == 403 && self.lasts(&reference, now) => {
                    Lookup::Forbidden
                }
                Err(source) => return Err(ReadError { reference, source }),
            };
            fetched.insert(reference, lookup);
        }
        Ok(fetched)
    }
}

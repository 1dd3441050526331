//! Live reads of the objects that a spec refers to.
//!
//! The operator keeps no copy of Secrets: it watches their metadata and reads the few that are referenced when they change.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};

/// A Secret could not be read; the API server was asked and did not say that it is missing.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {namespace}/{name} could not be read")]
pub struct ReadError {
    /// `Secret` or `ConfigMap`.
    pub kind: &'static str,
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What the API server or the connection said.
    #[source]
    pub source: kube::Error,
}

/// Reads Secrets by name; those that do not exist are left out.
///
/// # Errors
/// [`ReadError`] for the first that could not be asked for.
pub async fn secrets(
    client: &Client,
    namespace: &str,
    names: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, Secret>, ReadError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut found = BTreeMap::new();
    for name in names {
        match api.get_opt(&name).await {
            Ok(Some(secret)) => drop(found.insert(name, secret)),
            Ok(None) => {}
            Err(source) => {
                return Err(ReadError {
                    kind: "Secret",
                    namespace: namespace.into(),
                    name,
                    source,
                });
            }
        }
    }
    Ok(found)
}

/// Reads ConfigMaps by name; those that do not exist are left out.
///
/// # Errors
/// [`ReadError`] for the first that could not be asked for.
pub async fn config_maps(
    client: &Client,
    namespace: &str,
    names: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, ConfigMap>, ReadError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let mut found = BTreeMap::new();
    for name in names {
        match api.get_opt(&name).await {
            Ok(Some(map)) => drop(found.insert(name, map)),
            Ok(None) => {}
            Err(source) => {
                return Err(ReadError {
                    kind: "ConfigMap",
                    namespace: namespace.into(),
                    name,
                    source,
                });
            }
        }
    }
    Ok(found)
}

//! The tables of manifests that the definitions refuse and accept.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::definitions;

/// One manifest of `crds/tests/*.yaml`.
#[derive(Deserialize)]
pub(crate) struct Case {
    #[serde(default)]
    pub(crate) message: String,
    pub(crate) kind: String,
    #[serde(default = "a_name")]
    name: String,
    spec: Value,
}

fn a_name() -> String {
    "a-name".into()
}

impl Case {
    pub(crate) fn object(&self) -> Value {
        json!({
            "apiVersion": "keypool.dev/v1alpha1",
            "kind": self.kind,
            "metadata": { "name": self.name },
            "spec": self.spec,
        })
    }
}

pub(crate) fn cases(file: &str) -> anyhow::Result<Vec<Case>> {
    Ok(serde_yaml::from_str(&definitions::read(&format!(
        "crds/tests/{file}"
    ))?)?)
}

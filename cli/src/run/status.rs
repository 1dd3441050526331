//! Statuses as YAML: what `kubectl get -o yaml` would show, without the specs that the files hold.

use std::io;
use std::path::Path;

use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use kube::Resource;
use serde::Serialize;

use super::world::Survey;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a, S> {
    api_version: String,
    kind: String,
    metadata: Metadata<'a>,
    status: &'a Option<S>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a Option<String>,
    namespace: &'a Option<String>,
    generation: Option<i64>,
}

/// All statuses, one document each.
///
/// # Errors
/// When one of them cannot be written as YAML.
pub(crate) fn yaml(survey: &Survey) -> Result<String, serde_yaml::Error> {
    let mut text = String::new();
    for provider in &survey.providers {
        text.push_str(&document::<ModelProvider, _>(provider, &provider.status)?);
    }
    for group in &survey.groups {
        text.push_str(&document::<LoadBalanceGroup, _>(group, &group.status)?);
    }
    Ok(text)
}

fn document<K: Resource<DynamicType = ()>, S: Serialize>(
    object: &K,
    status: &Option<S>,
) -> Result<String, serde_yaml::Error> {
    let meta = object.meta();
    let shown = Shown {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        metadata: Metadata {
            name: &meta.name,
            namespace: &meta.namespace,
            generation: meta.generation,
        },
        status,
    };
    Ok(format!("---\n{}", serde_yaml::to_string(&shown)?))
}

/// Writes a file in one step: whoever reads it sees all of it or the one before. What is no plain file (a link, a pipe, `/dev/stdout`) is
/// written to as it is.
///
/// # Errors
/// When the directory cannot be written.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    if std::fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, text);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.new"));
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

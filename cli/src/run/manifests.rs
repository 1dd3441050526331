//! The manifests that local mode serves, as `kubectl apply -f` would take them.
//!
//! All of them or none: what is wrong is told for every file and document at once, and a reader that has good manifests already keeps
//! them. Kinds that mean something in a cluster only (Deployments, Namespaces) are passed over.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use keypool_operator::install::ObjectId;
use serde::Deserialize;
use zeroize::Zeroizing;

mod document;
mod environment;
mod files;
mod schema;
mod values;

pub(crate) use environment::variable;
pub(crate) use files::{Seen, would_read};

use document::Object;

/// What is to be served. It holds key bytes: never printed.
#[derive(Default)]
pub(crate) struct Manifests {
    pub(crate) providers: Vec<ModelProvider>,
    pub(crate) groups: Vec<LoadBalanceGroup>,
    /// Values that may be referred to.
    pub(crate) secrets: Vec<Secret>,
    /// CA bundles.
    pub(crate) config_maps: Vec<ConfigMap>,
}

/// Why manifests cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// A directory or file cannot be read.
    #[error("{}: {}", path.display(), unreadable(source))]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not YAML from a place on. The parser's own words may quote a value and are not told.
    #[error("{}: document {document} is not YAML{place}; correct it there", path.display())]
    Yaml {
        /// Which file.
        path: PathBuf,
        /// Which document of the file, from 1.
        document: usize,
        /// Line and column, where they are known.
        place: String,
    },
    /// A document is not what its kind asks for.
    #[error("{}: document {document}, {object}: {what}", path.display())]
    Document {
        /// Which file.
        path: PathBuf,
        /// Which document of the file, from 1.
        document: usize,
        /// Kind and name, as far as they are known.
        object: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// Nothing to serve.
    #[error(
        "{paths}: no LoadBalanceGroup (looked at *.yaml, *.yml and *.json); add one, or name another directory"
    )]
    NoGroup {
        /// What was looked at.
        paths: String,
    },
    /// One variable would be the value of two things.
    #[error("the variable {variable} would be the value of {first} and of {second}; write both into files")]
    Ambiguous {
        /// The variable.
        variable: String,
        /// One reader.
        first: String,
        /// The other.
        second: String,
    },
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "is not there".into(),
        io::ErrorKind::PermissionDenied => "may not be read; look at its permissions".into(),
        io::ErrorKind::InvalidData => "is not UTF-8 text".into(),
        other => format!("cannot be read: {other}"),
    }
}

/// All that is wrong.
#[derive(Debug)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// Reads directories and files. `environment` adds values that no file holds.
///
/// # Errors
/// Everything that is wrong with any of them.
pub(crate) fn read(
    paths: &[PathBuf],
    namespace: &str,
    environment: &BTreeMap<String, String>,
) -> Result<Manifests, Problems> {
    let mut reading = Reading {
        namespace,
        manifests: Manifests::default(),
        seen: BTreeMap::new(),
        problems: Vec::new(),
    };
    for path in files::manifests(paths, &mut reading.problems) {
        reading.file(&path);
    }
    let Reading {
        mut manifests,
        mut problems,
        ..
    } = reading;
    if manifests.groups.is_empty() && problems.is_empty() {
        problems.push(Problem::NoGroup { paths: listed(paths) });
    }
    manifests.complete_from(environment, &mut problems);
    if problems.is_empty() {
        Ok(manifests)
    } else {
        Err(Problems(problems))
    }
}

/// Paths as people write them.
pub(crate) fn listed(paths: &[PathBuf]) -> String {
    let texts: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    texts.join(", ")
}

struct Reading<'a> {
    namespace: &'a str,
    manifests: Manifests,
    /// Kind, namespace and name of what was read, and where.
    seen: BTreeMap<(&'static str, String, String), String>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn file(&mut self, path: &Path) {
        let text = match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => text,
            Err(source) => {
                return self.problems.push(Problem::Read {
                    path: path.into(),
                    source,
                });
            }
        };
        for (index, document) in serde_yaml::Deserializer::from_str(&text).enumerate() {
            let document_number = index + 1;
            match serde_yaml::Value::deserialize(document) {
                Ok(value) => self.document(path, document_number, value),
                Err(error) => {
                    let place = error.location();
                    let place = place.map(|at| format!(" at line {}, column {}", at.line(), at.column()));
                    let place = place.unwrap_or_default();
                    // What follows in this file cannot be told apart.
                    return self.problems.push(Problem::Yaml {
                        path: path.into(),
                        document: document_number,
                        place,
                    });
                }
            }
        }
    }

    fn document(&mut self, path: &Path, document: usize, value: serde_yaml::Value) {
        for read in document::objects(value, self.namespace) {
            let read = match read {
                Ok(object) => self.take(path, document, object),
                Err(wrong) => Err(wrong),
            };
            if let Err(document::Wrong { object, what }) = read {
                self.problems.push(Problem::Document {
                    path: path.into(),
                    document,
                    object,
                    what,
                });
            }
        }
    }

    fn take(&mut self, path: &Path, document: usize, object: Object) -> Result<(), document::Wrong> {
        let (kind, id) = (object.kind(), object.id());
        let ObjectId { namespace, name, .. } = id;
        let wrong = |what: String| {
            Err(document::Wrong {
                object: format!("{kind} {name}"),
                what,
            })
        };
        let here = format!("{}, document {document}", path.display());
        if let Some(there) = self.seen.insert((kind, namespace.clone(), name.clone()), here) {
            return wrong(format!("stands in {there} as well; remove one of the two"));
        }
        match object {
            Object::Provider(provider) => self.manifests.providers.push(*provider),
            Object::Group(group) => {
                // Local mode serves groups by path, and a path names no namespace.
                let same_name = |other: &&LoadBalanceGroup| other.metadata.name.as_deref() == Some(&name);
                if let Some(other) = self.manifests.groups.iter().find(same_name) {
                    let other = other.metadata.namespace.as_deref().unwrap_or_default();
                    return wrong(format!(
                        "namespace {other} has a group of this name, and both would be served at /g/{name}; rename one, or serve one namespace at a time"
                    ));
                }
                self.manifests.groups.push(*group);
            }
            Object::Secret(secret) => self.manifests.secrets.push(*secret),
            Object::ConfigMap(map) => self.manifests.config_maps.push(*map),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

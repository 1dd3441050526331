//! Values from the environment, so that nobody has to write a key into a file.
//!
//! Data key `team-a` of Secret `openai-keys` comes from `KEYPOOL_SECRET_OPENAI_KEYS_TEAM_A`, one of a ConfigMap from
//! `KEYPOOL_CONFIGMAP_…`. A file that holds the data key goes first. Different names can give one variable; what two things would
//! read is refused, because a key must not reach another provider by accident.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use keypool_operator::reference::Kind;
use kube::ResourceExt;

use super::{Manifests, Problem};

/// A data key that something refers to.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Wanted {
    kind: Kind,
    name: String,
    key: String,
}

/// The variable that may hold a data key.
pub(crate) fn variable(kind: Kind, name: &str, key: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    format!("KEYPOOL_{kind}_{name}_{key}")
        .chars()
        .map(letter)
        .collect()
}

impl Manifests {
    /// Adds the data keys that are referred to and stand in no file.
    pub(super) fn complete_from(
        &mut self,
        environment: &BTreeMap<String, String>,
        problems: &mut Vec<Problem>,
    ) {
        let mut readers: BTreeMap<String, Wanted> = BTreeMap::new();
        for (namespace, wanted) in self.wanted() {
            let name = variable(wanted.kind, &wanted.name, &wanted.key);
            let Some(value) = environment.get(&name) else {
                continue;
            };
            if self.holds(&namespace, &wanted) {
                continue;
            }
            let first = readers.entry(name.clone()).or_insert_with(|| wanted.clone());
            if *first != wanted {
                let told = |of: &Wanted| format!("{} {}, key {}", of.kind, of.name, of.key);
                problems.push(Problem::Ambiguous {
                    variable: name,
                    first: told(first),
                    second: told(&wanted),
                });
                continue;
            }
            self.add(&namespace, &wanted, value);
        }
    }

    fn wanted(&self) -> Vec<(String, Wanted)> {
        let mut all = Vec::new();
        for provider in &self.providers {
            let mut want = |kind, name: &str, key: &str| {
                all.push((
                    provider.namespace().unwrap_or_default(),
                    Wanted {
                        kind,
                        name: name.into(),
                        key: key.into(),
                    },
                ));
            };
            for source in provider
                .spec
                .credentials
                .iter()
                .filter_map(|credential| credential.secret_key_ref.as_ref())
            {
                want(Kind::Secret, &source.name, &source.key);
            }
            for source in provider
                .spec
                .endpoint
                .iter()
                .filter_map(|endpoint| endpoint.ca_bundle_ref.as_ref())
            {
                want(Kind::ConfigMap, &source.name, &source.key);
            }
        }
        for group in &self.groups {
            for source in group
                .spec
                .client_access
                .keys
                .iter()
                .map(|key| &key.secret_key_ref)
            {
                let wanted = Wanted {
                    kind: Kind::Secret,
                    name: source.name.clone(),
                    key: source.key.clone(),
                };
                all.push((group.namespace().unwrap_or_default(), wanted));
            }
        }
        all
    }

    fn holds(&self, namespace: &str, wanted: &Wanted) -> bool {
        let (name, key) = (&wanted.name, &wanted.key);
        match wanted.kind {
            Kind::Secret => self
                .secrets
                .iter()
                .filter(|secret| is(*secret, namespace, name))
                .any(|secret| {
                    secret.data.as_ref().is_some_and(|data| data.contains_key(key))
                        || secret
                            .string_data
                            .as_ref()
                            .is_some_and(|data| data.contains_key(key))
                }),
            Kind::ConfigMap => self
                .config_maps
                .iter()
                .filter(|map| is(*map, namespace, name))
                .any(|map| {
                    map.data.as_ref().is_some_and(|data| data.contains_key(key))
                        || map
                            .binary_data
                            .as_ref()
                            .is_some_and(|data| data.contains_key(key))
                }),
        }
    }

    fn add(&mut self, namespace: &str, wanted: &Wanted, value: &str) {
        let data = match wanted.kind {
            Kind::Secret => find_or_add::<Secret>(&mut self.secrets, namespace, &wanted.name)
                .string_data
                .get_or_insert_default(),
            Kind::ConfigMap => find_or_add::<ConfigMap>(&mut self.config_maps, namespace, &wanted.name)
                .data
                .get_or_insert_default(),
        };
        data.insert(wanted.key.clone(), value.into());
    }
}

fn is(object: &impl ResourceExt, namespace: &str, name: &str) -> bool {
    object.namespace().as_deref() == Some(namespace) && object.name_any() == name
}

fn find_or_add<'a, K: ResourceExt + Default>(all: &'a mut Vec<K>, namespace: &str, name: &str) -> &'a mut K {
    let place = all
        .iter()
        .position(|object| is(object, namespace, name))
        .unwrap_or(all.len());
    if place == all.len() {
        let mut object = K::default();
        object.meta_mut().name = Some(name.into());
        object.meta_mut().namespace = Some(namespace.into());
        all.push(object);
    }
    &mut all[place]
}

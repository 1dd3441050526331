//! Manifests → judged objects → one document of all groups.
//!
//! An object that cannot be served keeps what the last good manifest of it gave, as in a cluster. A Secret or ConfigMap that is gone is
//! gone at once: nobody replaces a file in two steps.

use std::collections::BTreeMap;

use keypool_contract::document::Content;
use keypool_contract::{Document, Encoded};
use keypool_crds::v1alpha1::shared::PAUSED;
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider, Reason};
use keypool_operator::conditions::Check;
use keypool_operator::controller::load_balance_group::ValidatedGroup;
use keypool_operator::controller::load_balance_group::build::{self, Inputs};
use keypool_operator::controller::load_balance_group::status::{Applied, Desired};
use keypool_operator::controller::load_balance_group::validate::{self as group_validate, Providers};
use keypool_operator::controller::model_provider::validate::{self as provider_validate, Surroundings};
use keypool_operator::controller::model_provider::{ValidatedProvider, wish};
use keypool_operator::install::ObjectId;
use keypool_operator::ledger::DocumentScope;
use keypool_operator::material::Material;
use keypool_operator::moment::Moment;
use keypool_operator::reference::{Fetched, Lookup, Object, Reference};
use kube::{Resource, ResourceExt};

use super::{Group, Provider, World, Written};
use crate::run::manifests::Manifests;

impl World {
    /// Takes over manifests. Returns the document when it is another one than before.
    pub(crate) fn load(&mut self, manifests: Manifests, now: Moment) -> Option<Encoded> {
        let Manifests {
            providers,
            groups,
            secrets,
            config_maps,
        } = manifests;
        let mut fetched = Fetched::default();
        for secret in secrets {
            let reference = Reference::secret(&secret.namespace().unwrap_or_default(), &secret.name_any());
            fetched.insert(reference, Lookup::Found(Object::from(secret)));
        }
        for map in config_maps {
            let reference = Reference::config_map(&map.namespace().unwrap_or_default(), &map.name_any());
            fetched.insert(reference, Lookup::Found(Object::from(map)));
        }
        let mut before = std::mem::take(&mut self.providers);
        self.providers = providers
            .into_iter()
            .map(|provider| {
                let id = ObjectId::of(&provider);
                let provider = self.judge_provider(provider, before.remove(&id), &fetched, now);
                (id, provider)
            })
            .collect();
        let mut before = std::mem::take(&mut self.groups);
        self.groups = groups
            .into_iter()
            .map(|group| {
                let id = ObjectId::of(&group);
                let group = self.judge_group(group, before.remove(&id), &fetched, now);
                (id, group)
            })
            .collect();
        let document = self.write(now);
        self.forget();
        document
    }

    fn judge_provider(
        &self,
        mut resource: ModelProvider,
        before: Option<Provider>,
        fetched: &Fetched,
        now: Moment,
    ) -> Provider {
        let old = before.as_ref().map(|before| &before.resource);
        resource.metadata.generation = Some(generation(old.map(|old| (old, old.spec == resource.spec))));
        resource.status = old.and_then(|old| old.status.clone());
        let identity = self
            .identity
            .for_namespace(&resource.namespace().unwrap_or_default());
        let around = Surroundings {
            fetched,
            install: &self.install,
            identity: &identity,
            now,
        };
        Provider {
            judged: provider_validate::validate(&resource, &around),
            wish: wish::clear_cooldown(&resource).or_else(|| before.and_then(|before| before.wish)),
            resource,
        }
    }

    fn judge_group(
        &self,
        mut resource: LoadBalanceGroup,
        before: Option<Group>,
        fetched: &Fetched,
        now: Moment,
    ) -> Group {
        let old = before.as_ref().map(|before| &before.resource);
        resource.metadata.generation = Some(generation(old.map(|old| (old, old.spec == resource.spec))));
        resource.status = old.and_then(|old| old.status.clone());
        let namespace = resource.namespace().unwrap_or_default();
        let of_namespace = self.providers.iter().filter(|(id, _)| id.namespace == namespace);
        let named = |name: &str| {
            resource
                .spec
                .members
                .iter()
                .any(|member| member.provider_ref.name == name)
        };
        let providers: Providers = of_namespace
            .filter(|(id, _)| named(&id.name))
            .map(|(id, provider)| (id.name.clone(), provider.judged.clone()))
            .collect();
        let identity = self.identity.for_namespace(&namespace);
        let around = Surroundings {
            fetched,
            install: &self.install,
            identity: &identity,
            now,
        };
        let judged = group_validate::validate(&resource, providers, &around);
        let (kept, applied) = before.map_or((None, None), |before| (before.content, before.applied));
        let paused = resource
            .annotations()
            .get(PAUSED)
            .is_some_and(|paused| paused == "true");
        let (content, refused) = match &judged {
            Ok(validated) if !paused => match self.content(validated) {
                Ok(content) => (Some(content), None),
                Err(refused) => (kept, Some(refused)),
            },
            Ok(_) | Err(_) => (kept, None),
        };
        Group {
            resource,
            judged,
            refused,
            content,
            applied,
        }
    }

    /// What a fleet of this group alone would run.
    fn content(&self, group: &ValidatedGroup) -> Result<Content, Check> {
        let generated = group.client_access.generated;
        let material = Material {
            client_key: self.material.client_key.clone().filter(|_| generated),
            ..self.material.clone()
        };
        let prepared = build::build(&Inputs {
            group,
            material: &material,
            stored: None,
            reported: 0,
            install: &self.install,
            endpoint: &self.endpoint(&group.id.name),
        })?;
        Ok(prepared.document.document.content)
    }

    /// One document of what all groups need. Equal content is the same document.
    fn write(&mut self, now: Moment) -> Option<Encoded> {
        let mut content = Content {
            salt: self.material.salt.clone(),
            providers: BTreeMap::new(),
            groups: Vec::new(),
        };
        for of_group in self.groups.values().filter_map(|group| group.content.as_ref()) {
            content.providers.extend(of_group.providers.clone());
            content.groups.extend(of_group.groups.iter().cloned());
        }
        // A group that was judged just now knows its providers better than one that keeps its last good content.
        for of_group in self
            .groups
            .values()
            .filter(|group| group.judged.is_ok() && group.refused.is_none())
        {
            content.providers.extend(
                of_group
                    .content
                    .iter()
                    .flat_map(|content| content.providers.clone()),
            );
        }
        let mut encoded = None;
        if self
            .written
            .as_ref()
            .is_none_or(|written| written.document.content != content)
        {
            let document = Document::new(
                self.material.lineage.clone(),
                self.generation().saturating_add(1),
                content,
            );
            match Encoded::write(&document) {
                Ok(bytes) => {
                    let (scope, hash) = (DocumentScope::of(&document), bytes.hash().clone());
                    self.written = Some(Written {
                        document,
                        hash,
                        scope,
                    });
                    encoded = Some(bytes);
                }
                Err(error) => {
                    let message = format!(
                        "all groups together give a configuration that cannot be served ({:?} at /{}); serve fewer of them at a time.",
                        error.code, error.path
                    );
                    let refused = Check::no(Reason::ConfigTooLarge, message);
                    self.groups
                        .values_mut()
                        .for_each(|group| group.refused = Some(refused.clone()));
                    return None;
                }
            }
        }
        self.note_applied(now);
        encoded
    }

    fn note_applied(&mut self, now: Moment) {
        let Some(written) = &self.written else { return };
        let stamp = &written.document.stamp;
        for group in self.groups.values_mut() {
            let served = group
                .content
                .iter()
                .flat_map(|content| &content.groups)
                .map(|group| group.spec_generation)
                .next();
            let Some(served) = served else { continue };
            let before = group.applied.take();
            let same_spec = before.filter(|before| before.desired.spec_generation == served);
            let (spec_since, spec_written) = same_spec.map_or((stamp.generation, now.monotonic), |before| {
                (before.desired.spec_since, before.spec_written)
            });
            let desired = Desired {
                stamp: stamp.clone(),
                hash: written.hash.clone(),
                spec_since,
                spec_generation: served,
            };
            group.applied = Some(Applied {
                desired,
                spec_written,
                conflicts: Vec::new(),
            });
        }
    }

    /// Forgets what was learned about values that are gone.
    fn forget(&mut self) {
        let named = |provider: &Provider| {
            provider
                .judged
                .as_ref()
                .ok()
                .and_then(ValidatedProvider::fingerprints)
        };
        let values = self
            .providers
            .iter()
            .map(|(id, provider)| (id.uid.clone(), named(provider)))
            .collect();
        self.ledger.keep(&values);
    }
}

/// As the API server counts: one more with every change of the spec.
fn generation<K: Resource>(before: Option<(&K, bool)>) -> i64 {
    match before {
        None => 1,
        Some((old, same_spec)) => old.meta().generation.unwrap_or(1) + i64::from(!same_spec),
    }
}

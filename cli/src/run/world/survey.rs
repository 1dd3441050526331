//! From what is known to what people see: the statuses that `kubectl get` would show, and the rows of the table.

use std::collections::BTreeMap;

use keypool_crds::v1alpha1::{ConditionStatus, ConditionType, LoadBalanceGroup, ModelProvider, Reason};
use keypool_operator::conditions::Check;
use keypool_operator::controller::load_balance_group::ValidatedGroup;
use keypool_operator::controller::load_balance_group::status::{
    self as group_status, Fleet, PodExchange, PodView,
};
use keypool_operator::controller::model_provider::health::health;
use keypool_operator::controller::model_provider::{
    ProviderHealth, ProviderUse, Reporters, ValidatedProvider, Value, status as provider_status,
};
use keypool_operator::install::ObjectId;
use keypool_operator::moment::Moment;
use keypool_operator::reference::{Cause, Refusal};

use super::{Row, World, rows};
use crate::run::manifests::variable;

/// Name of the one proxy in statuses and messages.
const PROXY: &str = "local";
/// Conditions whose message is for whoever edits the manifests or mends a key.
const FOR_PEOPLE: [ConditionType; 5] = [
    ConditionType::Accepted,
    ConditionType::ResolvedRefs,
    ConditionType::EndpointHealthy,
    ConditionType::KeysHealthy,
    ConditionType::Available,
];

/// What people see at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Survey {
    /// With their statuses.
    pub(crate) providers: Vec<ModelProvider>,
    /// With their statuses.
    pub(crate) groups: Vec<LoadBalanceGroup>,
    /// Every key of every member.
    pub(crate) rows: Vec<Row>,
    /// What a person should mend.
    pub(crate) concerns: Vec<String>,
}

impl World {
    /// Looks at everything, and keeps the statuses: the next ones begin from them.
    pub(crate) fn survey(&mut self, now: Moment) -> Survey {
        let mut standing: BTreeMap<ObjectId, ProviderHealth> = BTreeMap::new();
        let mut statuses = Vec::new();
        for (id, provider) in &self.providers {
            let used = self.used(id);
            let judged = provider.judged.as_ref();
            let health = judged.ok().map(|validated| {
                health(
                    validated,
                    &used,
                    &self.ledger,
                    provider.resource.status.as_ref(),
                    now,
                )
            });
            let observed = provider_status::Observed {
                provider: &provider.resource,
                judged: match (judged, &health) {
                    (Ok(validated), Some(health)) => Ok((validated, health)),
                    (Err(invalid), _) => Err(invalid),
                    (Ok(_), None) => continue,
                },
                used: &used,
                now,
            };
            statuses.push((id.clone(), provider_status::status(&observed)));
            standing.extend(health.map(|health| (id.clone(), health)));
        }
        for (id, status) in statuses {
            if let Some(provider) = self.providers.get_mut(&id) {
                provider.resource.status = Some(status);
            }
        }
        self.survey_groups(&standing, now);
        Survey {
            rows: self
                .groups
                .values()
                .flat_map(|group| rows::of_group(group, &standing, &self.ledger, now.monotonic))
                .collect(),
            concerns: self.concerns(),
            providers: self
                .providers
                .values()
                .map(|provider| provider.resource.clone())
                .collect(),
            groups: self.groups.values().map(|group| group.resource.clone()).collect(),
        }
    }

    fn survey_groups(&mut self, standing: &BTreeMap<ObjectId, ProviderHealth>, now: Moment) {
        let fleet = self.fleet(now);
        let root = self.root.clone();
        for (id, group) in &mut self.groups {
            let of_group = |validated: &ValidatedGroup| {
                let ids = validated.valid_providers().map(|provider| &provider.id);
                ids.filter_map(|id| Some((id.uid.clone(), standing.get(id)?.clone())))
                    .collect()
            };
            let health: BTreeMap<String, ProviderHealth> =
                group.judged.as_ref().map(of_group).unwrap_or_default();
            let status = group_status::status(&group_status::Observed {
                group: &group.resource,
                judged: group.judged.as_ref(),
                refused: group.refused.as_ref(),
                applied: group.applied.as_ref(),
                failure: None,
                fleet: &fleet,
                health: &health,
                endpoint: &format!("{root}/g/{}", id.name),
                now,
            });
            group.resource.status = Some(status);
        }
    }

    /// Who uses a provider.
    fn used(&self, provider: &ObjectId) -> ProviderUse {
        let heard = usize::from(self.proxy.is_some());
        let mut used = ProviderUse {
            reporters: Reporters {
                ready: heard,
                total: 1,
                settling: heard == 0,
            },
            ..ProviderUse::default()
        };
        for (id, group) in self
            .groups
            .iter()
            .filter(|(id, _)| id.namespace == provider.namespace)
        {
            let members = group
                .resource
                .spec
                .members
                .iter()
                .filter(|member| member.provider_ref.name == provider.name);
            let models: Vec<String> = members.map(|member| member.model.clone()).collect();
            if !models.is_empty() {
                used.groups.insert(id.name.clone());
                used.models.extend(models);
            }
        }
        used
    }

    /// The one proxy of this process is never silent: it is asked all the time.
    fn fleet(&self, now: Moment) -> Fleet {
        let exchange = self.proxy.clone().map(|exchange| PodExchange {
            heard: now.monotonic,
            ..exchange
        });
        let runs = exchange
            .as_ref()
            .is_some_and(|exchange| exchange.acknowledgement.hash.is_some());
        let proxy = PodView {
            name: PROXY.into(),
            terminating: false,
            running: true,
            ready: runs,
            running_since: self.began,
            exchange,
        };
        Fleet {
            wanted: 1,
            pods: vec![proxy],
            leading_since: self.began,
        }
    }

    fn concerns(&self) -> Vec<String> {
        if !self.settled() {
            return Vec::new();
        }
        let mut all = Vec::new();
        for provider in self.providers.values() {
            let conditions = provider
                .resource
                .status
                .as_ref()
                .map_or(&[][..], |status| &status.conditions);
            tell(
                &mut all,
                "ModelProvider",
                provider.resource.metadata.name.as_deref(),
                conditions,
            );
            all.extend(provider.judged.iter().flat_map(variables));
        }
        for group in self.groups.values() {
            let conditions = group
                .resource
                .status
                .as_ref()
                .map_or(&[][..], |status| &status.conditions);
            tell(
                &mut all,
                "LoadBalanceGroup",
                group.resource.metadata.name.as_deref(),
                conditions,
            );
        }
        all
    }
}

fn tell(
    all: &mut Vec<String>,
    kind: &str,
    name: Option<&str>,
    conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
) {
    let mut told = |kind_of: ConditionType, wanted: &dyn Fn(&Check) -> bool| {
        let check = Check::stored(conditions, kind_of).filter(|check| check.status == ConditionStatus::False);
        if let Some(check) = check.filter(|check| wanted(check)) {
            let line = format!("{kind} {}: {}", name.unwrap_or_default(), check.message);
            if !all.contains(&line) {
                all.push(line);
            }
        }
    };
    // What keys lack because of a reference is told by the reference.
    let of_references = |check: &Check| matches!(check.reason, Reason::MissingKeys | Reason::MalformedKeys);
    for kind_of in FOR_PEOPLE {
        told(kind_of, &|check| !of_references(check));
    }
    told(ConditionType::Programmed, &|check| {
        check.reason == Reason::ConfigRejected
    });
}

/// What would give the values that are missing, beside a file.
fn variables(provider: &ValidatedProvider) -> Vec<String> {
    let keys = provider
        .credentials
        .iter()
        .filter_map(|credential| match &credential.value {
            Value::Refused(refusal) => Some((credential.name.as_str(), refusal)),
            Value::Key { .. } | Value::Anonymous => None,
        });
    let bundle = provider
        .ca_bundle
        .as_ref()
        .err()
        .map(|refusal| ("endpoint.caBundleRef", refusal));
    let missing = |refusal: &Refusal| matches!(refusal.cause, Cause::NotFound { .. } | Cause::KeyNotFound);
    let told = keys
        .chain(bundle)
        .filter(|(_, refusal)| missing(refusal))
        .map(|(what, refusal)| {
            let variable = variable(refusal.reference.kind, &refusal.reference.name, &refusal.key);
            format!(
                "ModelProvider {}: {what} can also come from the variable {variable}",
                provider.id.name
            )
        });
    told.collect()
}

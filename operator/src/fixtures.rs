//! What the tests of the pure part start from.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use keypool_contract::{Salt, Secret as KeyBytes};
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus, LoadBalanceGroup, ModelProvider};
use zeroize::Zeroizing;

use crate::controller::load_balance_group::ValidatedGroup;
use crate::controller::load_balance_group::validate::{Providers, validate as validate_group};
use crate::controller::model_provider::validate::{Surroundings, validate as validate_provider};
use crate::controller::model_provider::{InvalidProvider, ValidatedProvider};
use crate::identity::{Identity, NamespaceIdentity};
use crate::install::Install;
use crate::material::{ExchangeCertificate, Material};
use crate::moment::{Moment, Monotonic, tests::at};
use crate::reference::{Fetched, Lookup, Reference};

pub(crate) mod api;

/// What a status says of a key that its provider refused.
pub(crate) fn refused_key(name: &str, fingerprint: &str) -> KeyStatus {
    KeyStatus {
        name: name.into(),
        state: KeyState::Invalid,
        reason: KeyReason::RefusedByProvider,
        since: None,
        until: None,
        fingerprint: Some(fingerprint.into()),
        quota_group: None,
        models: Vec::new(),
        more_models: None,
    }
}

/// The namespace of everything here.
pub(crate) const NAMESPACE: &str = "team";

/// A private authority's certificate: valid PEM.
pub(crate) fn certificate() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::new(vec!["ca".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap()
        .pem()
}

/// Objects by reference, the installation and the time.
pub(crate) struct World {
    pub(crate) fetched: Fetched,
    pub(crate) install: Install,
    pub(crate) identity: NamespaceIdentity,
    pub(crate) now: Moment,
}

impl World {
    /// The Secret `openai-keys` of the surface document, and nothing else.
    pub(crate) fn new() -> Self {
        let world = Self {
            fetched: Fetched::default(),
            install: Install {
                proxy_image: "ghcr.io/keypool/proxy:v1".into(),
                proxy_image_pull_policy: "IfNotPresent".into(),
                require_allowed_hosts: false,
            },
            identity: Identity::new(Zeroizing::new(vec![7; 32]))
                .unwrap()
                .for_namespace(NAMESPACE),
            now: at(0),
        };
        world.secret(
            "openai-keys",
            &[("team-a", "sk-a"), ("team-b", "sk-b\n"), ("batch", "sk-c")],
        )
    }

    pub(crate) fn secret(self, name: &str, data: &[(&str, &str)]) -> Self {
        let data: BTreeMap<_, _> = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        self.object(Secret {
            string_data: Some(data),
            ..named(name)
        })
    }

    pub(crate) fn object(mut self, secret: Secret) -> Self {
        let name = secret.metadata.name.clone().unwrap();
        self.fetched
            .insert(Reference::secret(NAMESPACE, &name), Lookup::Found(secret.into()));
        self
    }

    pub(crate) fn config_map(mut self, name: &str, key: &str, value: &str) -> Self {
        let map = ConfigMap {
            data: Some([(key.to_owned(), value.to_owned())].into()),
            ..ConfigMap::default()
        };
        self.fetched
            .insert(Reference::config_map(NAMESPACE, name), Lookup::Found(map.into()));
        self
    }

    /// Not there since a second.
    pub(crate) fn without(mut self, reference: Reference, since: i64) -> Self {
        let since: Monotonic = at(since).monotonic;
        self.fetched.insert(reference, Lookup::NotFound { since });
        self
    }

    pub(crate) fn at(mut self, seconds: i64) -> Self {
        self.now = at(seconds);
        self
    }

    pub(crate) fn around(&self) -> Surroundings<'_> {
        Surroundings {
            fetched: &self.fetched,
            install: &self.install,
            identity: &self.identity,
            now: self.now,
        }
    }

    pub(crate) fn judge(&self, provider: &ModelProvider) -> Result<ValidatedProvider, InvalidProvider> {
        validate_provider(provider, &self.around())
    }

    pub(crate) fn valid(&self, provider: &ModelProvider) -> ValidatedProvider {
        self.judge(provider).unwrap()
    }

    pub(crate) fn valid_group(
        &self,
        group: &LoadBalanceGroup,
        providers: &[&ModelProvider],
    ) -> ValidatedGroup {
        validate_group(group, self.providers(providers), &self.around()).unwrap()
    }

    pub(crate) fn providers(&self, providers: &[&ModelProvider]) -> Providers {
        let judged = |p: &&ModelProvider| (p.metadata.name.clone().unwrap(), self.judge(p));
        providers.iter().map(judged).collect()
    }
}

pub(crate) fn named(name: &str) -> Secret {
    let mut secret = Secret::default();
    secret.metadata.name = Some(name.to_owned());
    secret
}

/// A ModelProvider of that spec, in flow or block YAML.
pub(crate) fn provider(name: &str, spec: &str) -> ModelProvider {
    let mut provider = ModelProvider::new(name, serde_yaml::from_str(spec).unwrap());
    provider.metadata.namespace = Some(NAMESPACE.into());
    provider.metadata.uid = Some(format!("uid-{name}"));
    provider.metadata.generation = Some(4);
    provider
}

/// A LoadBalanceGroup of that spec.
pub(crate) fn group(name: &str, spec: &str) -> LoadBalanceGroup {
    let mut group = LoadBalanceGroup::new(name, serde_yaml::from_str(spec).unwrap());
    group.metadata.namespace = Some(NAMESPACE.into());
    group.metadata.uid = Some(format!("uid-{name}"));
    group.metadata.generation = Some(2);
    group
}

/// The provider of the surface document.
pub(crate) const OPENAI: &str = "
type: OpenAI
credentials:
- {name: team-a, secretKeyRef: {name: openai-keys, key: team-a}, weight: 3}
- {name: team-b, secretKeyRef: {name: openai-keys, key: team-b}, quotaGroup: org-42}
- {name: batch, secretKeyRef: {name: openai-keys, key: batch}, priority: 10}
";

/// A server of one's own, without keys.
pub(crate) const VLLM: &str = "{type: OpenAICompatible, endpoint: {url: 'http://vllm:8000/v1/'}}";

/// A group over both.
pub(crate) const CHAT: &str = "
aliases: [gpt-4.1]
members:
- {name: openai, providerRef: {name: openai}, model: gpt-4.1, weight: 3}
- {name: vllm, providerRef: {name: vllm}, model: llama-4-70b}
";

/// Random parts that are not random.
pub(crate) fn material() -> Material {
    Material {
        lineage: "0123456789abcdef".into(),
        salt: Salt("fedcba9876543210".into()),
        token: Zeroizing::new("exchange-token".to_owned()),
        certificate: ExchangeCertificate {
            certificate: "certificate\n".into(),
            private_key: Zeroizing::new("private key\n".to_owned()),
            previous: None,
            renew_after: "2027-07-18T10:41:07Z".parse().unwrap(),
        },
        client_key: Some(KeyBytes::parse(b"kp-client").unwrap()),
    }
}

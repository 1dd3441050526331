//! The document that a proxy is started with.

use super::{CLIENT_KEY, Rig, key_value};
use crate::dataplane::wire::Seen;
use keypool_contract::document::{
    Ambiguous, ClientAccess, ClientKey, Content, Cooldown, Credential, Group, Member, Probe, Provider, Retry,
    Strategy, Timeouts, UnknownModel,
};
use keypool_contract::{ClientKeyHash, Document, Encoded, ProviderType, Salt, Secret};
use keypool_fake_provider::{FakeProvider, sha256_hex};
use keypool_proxy::config::Source;
use keypool_proxy::telemetry::Sink;
use keypool_proxy::upstream::Override;
use keypool_proxy::{Options, Proxy};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;

/// What a proxy is started with: the group `chat`, alias `gpt`, one member per provider, each with the priority of its place.
pub(crate) struct Setup {
    pub(super) content: Content,
    resolve: Vec<Override>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let salt = Salt("salt".into());
        let key = ClientKey {
            name: "test".into(),
            hash: ClientKeyHash::of(&salt, CLIENT_KEY.as_bytes()),
        };
        let group = Group {
            namespace: "test".into(),
            name: "chat".into(),
            spec_generation: 1,
            aliases: vec!["gpt".into()],
            members: Vec::new(),
            strategy: Strategy::WeightedRoundRobin,
            retry: Retry {
                attempts: 3,
                deadline_ms: 60_000,
                ambiguous: Ambiguous::Never,
            },
            unknown_model: UnknownModel::Reject,
            client_access: ClientAccess {
                insecure: false,
                keys: vec![key],
            },
        };
        Self {
            content: Content {
                salt,
                providers: BTreeMap::new(),
                groups: vec![group],
            },
            resolve: Vec::new(),
        }
    }

    /// A member `name` of the next priority, with a provider of its own that has these keys.
    pub(crate) fn member(self, name: &str, fake: &FakeProvider, keys: &[&str]) -> Self {
        self.member_at(name, &format!("{}/v1", fake.http_url()), keys)
    }

    /// The same with the vendor's own type, which asks for https.
    pub(crate) fn openai(self, name: &str, fake: &FakeProvider, keys: &[&str]) -> Self {
        let url = format!("{}/v1", fake.https_url());
        self.member_at(name, &url, keys).change(|content| {
            let provider = content.providers.get_mut(&format!("uid-{name}")).unwrap();
            provider.provider_type = ProviderType::OpenAI;
            provider.ca_bundle = fake.ca_pem().map(str::to_owned);
        })
    }

    pub(crate) fn member_at(mut self, name: &str, url: &str, keys: &[&str]) -> Self {
        let uid = format!("uid-{name}");
        self.content
            .providers
            .insert(uid.clone(), provider_at(name, url, keys));
        let members = &mut self.content.groups[0].members;
        members.push(Member {
            name: name.into(),
            provider: uid,
            model: format!("model-{name}"),
            priority: u32::try_from(members.len()).unwrap(),
            weight: 1,
            aliases: Vec::new(),
        });
        self
    }

    /// Stands in for DNS, as `HOST:PORT:ADDRESS`.
    pub(crate) fn resolve(mut self, text: &str) -> Self {
        self.resolve.push(text.parse().unwrap());
        self
    }

    pub(crate) fn change(mut self, change: impl FnOnce(&mut Content)) -> Self {
        change(&mut self.content);
        self
    }

    pub(crate) fn each_provider(self, change: impl FnMut(&mut Provider)) -> Self {
        self.change(|content| content.providers.values_mut().for_each(change))
    }

    pub(crate) fn retry(self, change: impl FnOnce(&mut Retry)) -> Self {
        self.change(|content| change(&mut content.groups[0].retry))
    }

    /// The document, as an operator would write it.
    pub(crate) fn encoded(&self, generation: u64) -> Encoded {
        let document = Document::new("lineage".into(), generation, self.content.clone());
        Encoded::write(&document).unwrap()
    }

    pub(crate) async fn start(self) -> Rig {
        let (documents, source) = watch::channel(Some(self.encoded(1)));
        self.serve(Source::Channel(source), Some(documents)).await
    }

    pub(crate) async fn serve(self, source: Source, documents: Option<Documents>) -> Rig {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let log = tempfile::NamedTempFile::new().unwrap();
        let options = Options {
            clients: any,
            health: Some(any),
            exchange: None,
            source,
            resolve: self.resolve.clone(),
            access_log: Sink::File(log.path().to_owned()),
            drain_limit: Duration::from_secs(10),
        };
        let proxy = Proxy::start(options).await.unwrap();
        assert_eq!(proxy.acknowledgement().borrow().last_error, None);
        let addresses = proxy.addresses();
        Rig {
            proxy,
            clients: addresses.clients,
            health: addresses.health.unwrap(),
            setup: self,
            documents,
            log,
            seen: Seen::default(),
        }
    }
}

pub(super) type Documents = watch::Sender<Option<Encoded>>;

fn provider_at(name: &str, url: &str, keys: &[&str]) -> Provider {
    let credential = |key: &&str| Credential {
        name: (*key).into(),
        fingerprint: sha256_hex(key_value(key).as_bytes())[..8].to_owned(),
        key: Some(Secret::parse(key_value(key).as_bytes()).unwrap()),
        weight: 1,
        priority: 0,
        enabled: true,
        quota_group: None,
        models: Vec::new(),
        headers: Vec::new(),
    };
    Provider {
        namespace: "test".into(),
        name: name.into(),
        provider_type: ProviderType::OpenAICompatible,
        url: url.into(),
        ca_bundle: None,
        headers: Vec::new(),
        credentials: keys.iter().map(credential).collect(),
        probe: Probe {
            enabled: false,
            interval_ms: 900_000,
            timeout_ms: 10_000,
        },
        cooldown: Cooldown {
            initial_ms: 60_000,
            max_ms: 900_000,
        },
        timeouts: Timeouts {
            connect_ms: 2_000,
            first_event_ms: 10_000,
            response_ms: 10_000,
            idle_ms: 10_000,
        },
    }
}

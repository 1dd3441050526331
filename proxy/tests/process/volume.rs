//! The rendered Secret, mounted as the kubelet does it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use keypool_contract::document::{
    Ambiguous, ClientAccess, ClientKey, Content, Cooldown, Credential, Group, Member, Probe, Provider, Retry,
    Strategy, Timeouts, UnknownModel,
};
use keypool_contract::limits::{
    CERTIFICATE_FILE, DOCUMENT_FILE, EXCHANGE_SERVER_NAME, PRIVATE_KEY_FILE, TOKEN_FILE,
};
use keypool_contract::{ClientKeyHash, Document, Encoded, ProviderType, Salt, Secret};
use keypool_fake_provider::FakeProvider;

pub(crate) const CLIENT_KEY: &str = "kp-client-canary";
pub(crate) const TOKEN: &str = "token-canary-0123456789";

/// UID of the provider.
pub(crate) const PROVIDER: &str = "uid";

/// Names a value.
pub(crate) fn fingerprint(value: &str) -> String {
    keypool_fake_provider::sha256_hex(value.as_bytes())[..8].to_owned()
}

/// A mounted directory with what the operator puts there.
pub(crate) struct Volume {
    directory: tempfile::TempDir,
    /// The pods' certificate, which the leader is pinned to.
    pub(crate) certificate: String,
    key: String,
    provider_port: u16,
    provider_ca: String,
    mounted: AtomicU32,
}

impl Volume {
    pub(crate) fn new(fake: &FakeProvider) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec![EXCHANGE_SERVER_NAME.to_owned()]).unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            certificate: parameters.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
            provider_port: fake.addresses().https.unwrap().port(),
            provider_ca: fake.ca_pem().unwrap().to_owned(),
            mounted: AtomicU32::new(0),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// `--resolve` for the provider's name.
    pub(crate) fn resolve(&self) -> String {
        format!("provider.example:{}:127.0.0.1", self.provider_port)
    }

    /// One group `chat`, one provider `openai`; `keys` are `name=value`.
    pub(crate) fn document(&self, generation: u64, keys: &[&str]) -> Encoded {
        let salt = Salt("salt".into());
        let credentials = keys.iter().map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            Credential {
                name: name.into(),
                fingerprint: fingerprint(value),
                key: Some(Secret::parse(value.as_bytes()).unwrap()),
                weight: 1,
                priority: 0,
                enabled: true,
                quota_group: None,
                models: Vec::new(),
                headers: Vec::new(),
            }
        });
        let provider = Provider {
            namespace: "default".into(),
            name: "openai".into(),
            provider_type: ProviderType::OpenAI,
            url: format!("https://provider.example:{}/v1", self.provider_port),
            ca_bundle: Some(self.provider_ca.clone()),
            headers: Vec::new(),
            credentials: credentials.collect(),
            probe: Probe {
                enabled: true,
                interval_ms: 900_000,
                timeout_ms: 10_000,
            },
            cooldown: Cooldown {
                initial_ms: 60_000,
                max_ms: 900_000,
            },
            timeouts: Timeouts {
                connect_ms: 5_000,
                first_event_ms: 120_000,
                response_ms: 600_000,
                idle_ms: 120_000,
            },
        };
        let group = Group {
            namespace: "default".into(),
            name: "chat".into(),
            spec_generation: 1,
            aliases: Vec::new(),
            members: vec![Member {
                name: "m".into(),
                provider: PROVIDER.into(),
                model: "gpt-4.1".into(),
                priority: 0,
                weight: 1,
                aliases: Vec::new(),
            }],
            strategy: Strategy::WeightedRoundRobin,
            retry: Retry {
                attempts: 3,
                deadline_ms: 60_000,
                ambiguous: Ambiguous::Never,
            },
            unknown_model: UnknownModel::Reject,
            client_access: ClientAccess {
                insecure: false,
                keys: vec![ClientKey {
                    name: "generated".into(),
                    hash: ClientKeyHash::of(&salt, CLIENT_KEY.as_bytes()),
                }],
            },
        };
        let content = Content {
            salt,
            providers: BTreeMap::from([("uid".into(), provider)]),
            groups: vec![group],
        };
        Encoded::write(&Document::new("lineage".into(), generation, content)).unwrap()
    }

    pub(crate) fn mount(&self, generation: u64, keys: &[&str]) {
        self.mount_bytes(self.document(generation, keys).bytes());
    }

    /// A new directory with all files, then one switch of the link.
    pub(crate) fn mount_bytes(&self, document: &[u8]) {
        let name = format!("..{}", self.mounted.fetch_add(1, Ordering::Relaxed));
        let data = self.path().join(&name);
        fs::create_dir(&data).unwrap();
        for (file, bytes) in [
            (DOCUMENT_FILE, document),
            (CERTIFICATE_FILE, self.certificate.as_bytes()),
            (PRIVATE_KEY_FILE, self.key.as_bytes()),
            (TOKEN_FILE, TOKEN.as_bytes()),
        ] {
            fs::write(data.join(file), bytes).unwrap();
            if !self.path().join(file).is_symlink() {
                symlink(Path::new("..data").join(file), self.path().join(file)).unwrap();
            }
        }
        let link = self.path().join("..data_tmp");
        symlink(name, &link).unwrap();
        fs::rename(link, self.path().join("..data")).unwrap();
    }
}

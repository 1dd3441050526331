//! A proxy with a document, and a client that sees every byte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use keypool_contract::client_key::{ClientKeyHash, Salt};
use keypool_contract::document::{
    Ambiguous, ClientAccess, ClientKey, Content, Cooldown, Credential, Group, Member, Probe, Provider, Retry,
    Strategy, Timeouts, UnknownModel,
};
use keypool_contract::{Document, Encoded, ProviderType, Secret};
use keypool_proxy::config::Source;
use keypool_proxy::telemetry::Sink;
use keypool_proxy::{Options, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

pub(super) const CLIENT_KEY: &str = "kp-client-key";
/// Nothing here takes as long; what does not happen in this time does not happen.
const LIMIT: Duration = Duration::from_secs(15);

pub(super) struct Rig {
    pub(super) proxy: Proxy,
    _documents: watch::Sender<Option<Encoded>>,
}

/// A member of the group `chat`, with its own provider: `(name, base URL, keys)`. Each has the priority of its place.
pub(super) type Spec<'a> = (&'a str, String, &'a [&'a str]);

impl Rig {
    pub(super) async fn start(members: &[Spec<'_>]) -> Self {
        Self::with(members, |_| {}, Duration::from_secs(10)).await
    }

    pub(super) async fn with(
        members: &[Spec<'_>],
        change: impl FnOnce(&mut Content),
        drain: Duration,
    ) -> Self {
        let mut content = content(members);
        change(&mut content);
        let encoded = Encoded::write(&Document::new("lineage".into(), 1, content)).unwrap();
        let (documents, source) = watch::channel(Some(encoded));
        let options = Options {
            clients: SocketAddr::from(([127, 0, 0, 1], 0)),
            health: None,
            exchange: None,
            source: Source::Channel(source),
            resolve: Vec::new(),
            access_log: Sink::None,
            drain_limit: drain,
        };
        Self {
            proxy: Proxy::start(options).await.unwrap(),
            _documents: documents,
        }
    }

    pub(super) async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.proxy.addresses().clients).await.unwrap();
        Client {
            stream,
            buffer: Vec::new(),
        }
    }

    /// One chat request on its own connection.
    pub(super) async fn chat(&self, body: &str) -> Reply {
        let mut client = self.connect().await;
        client.send(&chat(body)).await;
        client.reply().await
    }
}

/// A chat request.
pub(super) fn chat(body: &str) -> String {
    request("POST /v1/chat/completions", "", body)
}

pub(super) fn request(line: &str, headers: &str, body: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nhost: keypool\r\nauthorization: Bearer {CLIENT_KEY}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(super) fn content(members: &[Spec<'_>]) -> Content {
    let salt = Salt("salt".into());
    let provider = |name: &str, url: &str, keys: &[&str]| Provider {
        namespace: "test".into(),
        name: name.into(),
        provider_type: ProviderType::OpenAICompatible,
        url: url.into(),
        ca_bundle: None,
        headers: Vec::new(),
        credentials: keys
            .iter()
            .enumerate()
            .map(|(index, key)| Credential {
                name: format!("key-{index}"),
                fingerprint: format!("{name}-{index}"),
                key: Some(Secret::parse(key.as_bytes()).unwrap()),
                weight: 1,
                priority: 0,
                enabled: true,
                quota_group: None,
                models: Vec::new(),
                headers: Vec::new(),
            })
            .collect(),
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
            first_event_ms: 5_000,
            response_ms: 5_000,
            idle_ms: 5_000,
        },
    };
    let providers: BTreeMap<_, _> = members
        .iter()
        .map(|(name, url, keys)| (format!("uid-{name}"), provider(name, url, keys)))
        .collect();
    let members = members
        .iter()
        .enumerate()
        .map(|(index, (name, ..))| Member {
            name: (*name).into(),
            provider: format!("uid-{name}"),
            model: format!("model-of-{name}"),
            priority: u32::try_from(index).unwrap(),
            weight: 1,
            aliases: Vec::new(),
        })
        .collect();
    let group = Group {
        namespace: "test".into(),
        name: "chat".into(),
        spec_generation: 1,
        aliases: vec!["gpt".into()],
        members,
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
                name: "test".into(),
                hash: ClientKeyHash::of(&salt, CLIENT_KEY.as_bytes()),
            }],
        },
    };
    Content {
        salt,
        providers,
        groups: vec![group],
    }
}

/// A client's connection.
pub(super) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    /// Chunks joined.
    pub(super) body: String,
    /// The body came to its end.
    pub(super) whole: bool,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The `code` of an error.
    pub(super) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Client {
    pub(super) async fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Sends what the proxy may refuse to take.
    pub(super) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(LIMIT, self.stream.read_buf(&mut self.buffer));
        matches!(read.await.expect("the proxy says nothing"), Ok(1..))
    }

    fn take_until(&mut self, end: &[u8]) -> Option<String> {
        let at = self.buffer.windows(end.len()).position(|window| window == end)? + end.len();
        Some(String::from_utf8(self.buffer.drain(..at).collect()).unwrap())
    }

    async fn until(&mut self, end: &[u8]) -> Option<String> {
        loop {
            if let Some(text) = self.take_until(end) {
                return Some(text);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The head of the next answer.
    pub(super) async fn head(&mut self) -> (u16, String) {
        let head = self.until(b"\r\n\r\n").await.expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head)
    }

    /// The next chunk; none for the last one or where the connection ended.
    pub(super) async fn chunk(&mut self) -> Result<Option<String>, ()> {
        let size = self.until(b"\r\n").await.ok_or(())?;
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        while self.buffer.len() < size + 2 {
            if !self.more().await {
                return Err(());
            }
        }
        let text: Vec<u8> = self.buffer.drain(..size + 2).take(size).collect();
        Ok((size > 0).then(|| String::from_utf8(text).unwrap()))
    }

    /// The next answer, whole.
    pub(super) async fn reply(&mut self) -> Reply {
        let (status, head) = self.head().await;
        let mut reply = Reply {
            status,
            head,
            body: String::new(),
            whole: true,
        };
        if let Some(length) = reply.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.buffer.len() < length && self.more().await {}
            reply.whole = self.buffer.len() >= length;
            let length = length.min(self.buffer.len());
            reply.body = String::from_utf8(self.buffer.drain(..length).collect()).unwrap();
        } else {
            loop {
                match self.chunk().await {
                    Ok(Some(text)) => reply.body.push_str(&text),
                    Ok(None) => break,
                    Err(()) => {
                        reply.whole = false;
                        break;
                    }
                }
            }
        }
        reply
    }

    /// True when the proxy closes the connection without another word.
    pub(super) async fn closes(&mut self) -> bool {
        !self.more().await && self.buffer.is_empty()
    }
}

//! A proxy with a document, in front of scripted providers.

// Each test file uses a part of it.
#![allow(dead_code)]

mod setup;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use keypool_contract::Encoded;
use keypool_fake_provider::{Entry, FakeProvider, Key, Options as FakeOptions, sha256_hex};
use keypool_proxy::Proxy;
use keypool_tests::canary::Scan;
use keypool_tests::wait;

use super::wire::{Client, Reply, Seen};
use setup::Documents;
pub(crate) use setup::Setup;

/// What clients present. A canary as well: no provider may ever see it.
pub(crate) const CLIENT_KEY: &str = "kp-c7Xw0q2ZtR8mB5vN1yLkJ4hG6fD9sAeUiOpQ3";
/// Stands in every prompt; no log may hold it.
pub(crate) const PROMPT: &str = "a-prompt-that-nobody-may-log";

/// The value of a key that is called so: nothing else looks like it.
pub(crate) fn key_value(name: &str) -> String {
    format!("sk-proj-{}", &sha256_hex(name.as_bytes())[..40])
}

/// A provider that knows these keys.
pub(crate) fn provider(keys: &[&str]) -> FakeProvider {
    FakeProvider::start(provider_options(keys)).unwrap()
}

pub(crate) fn provider_options(keys: &[&str]) -> FakeOptions {
    FakeOptions::with_keys(keys.iter().map(|name| Key::new(*name, key_value(name))))
}

/// A chat request's body. `model` is what the client asks for.
pub(crate) fn chat(model: &str, stream: bool) -> String {
    format!(r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#)
}

/// A request as it goes over the wire.
pub(crate) fn request(line: &str, headers: &str, body: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nhost: keypool\r\nauthorization: Bearer {CLIENT_KEY}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn post(body: &str) -> String {
    request("POST /v1/chat/completions", "", body)
}

/// A running proxy.
pub(crate) struct Rig {
    pub(crate) proxy: Proxy,
    pub(crate) clients: SocketAddr,
    health: SocketAddr,
    pub(crate) setup: Setup,
    documents: Option<Documents>,
    log: tempfile::NamedTempFile,
    pub(crate) seen: Seen,
}

impl Rig {
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.clients, self.seen.clone()).await
    }

    /// One exchange on a connection of its own.
    pub(crate) async fn exchange(&self, bytes: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.reply().await
    }

    /// A chat request over the whole group.
    pub(crate) async fn chat(&self) -> Reply {
        self.exchange(post(&chat("gpt", false))).await
    }

    /// The same, streamed.
    pub(crate) async fn stream(&self) -> Reply {
        self.exchange(post(&chat("gpt", true))).await
    }

    /// Puts another document in force.
    pub(crate) fn write(&self, document: Encoded) {
        self.documents.as_ref().unwrap().send_replace(Some(document));
    }

    pub(crate) async fn metrics(&self) -> String {
        let mut client = Client::connect(self.health, self.seen.clone()).await;
        client
            .send("GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .await;
        client.reply().await.text()
    }

    /// The value of the series whose text up to the value is this.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.metrics().await;
        let value = text.lines().find_map(|line| line.strip_prefix(series));
        value.map(|value| value.trim().parse().unwrap())
    }

    /// The state of a key, as a scrape sees it.
    pub(crate) async fn state(&self, provider: &str, key: &str) -> String {
        let text = self.metrics().await;
        let start = format!("keypool_key_state{{provider=\"{provider}\",credential=\"{key}\",state=\"");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        let state = line.unwrap_or_else(|| panic!("no state of {key} in {text}"));
        state.split('"').next().unwrap().to_owned()
    }

    pub(crate) async fn states(&self, provider: &str, keys: &[&str]) -> Vec<String> {
        let mut states = Vec::new();
        for key in keys {
            states.push(self.state(provider, key).await);
        }
        states
    }

    /// Seconds that a key still rests, for whichever model rests longest.
    pub(crate) async fn cooldown(&self, provider: &str, key: &str) -> Option<f64> {
        let text = self.metrics().await;
        let start =
            format!("keypool_key_cooldown_remaining_seconds{{provider=\"{provider}\",credential=\"{key}\",");
        text.lines()
            .filter(|line| line.starts_with(&start))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .reduce(f64::max)
    }

    /// Waits for a state of a key.
    pub(crate) async fn until_state(&self, provider: &str, key: &str, state: &str, limit: Duration) {
        wait::until_value(
            &format!("{key} to be {state}"),
            limit,
            async || Ok::<_, ()>(self.state(provider, key).await),
            |seen| seen == state,
        )
        .await
        .unwrap();
    }

    pub(crate) fn access_log(&self) -> &Path {
        self.log.path()
    }

    /// Ends the proxy, and looks for keys in all that it let out, and for what is the client's at the providers. The lines of the access log.
    pub(crate) async fn finish(self, fakes: &[&FakeProvider]) -> Vec<serde_json::Value> {
        let metrics = self.metrics().await;
        let content = &self.setup.content;
        let keys: Vec<(String, String)> = content
            .providers
            .values()
            .flat_map(|provider| &provider.credentials)
            .map(|credential| (credential.name.clone(), key_value(&credential.name)))
            .chain([("the client's key".to_owned(), CLIENT_KEY.to_owned())])
            .collect();
        self.proxy.drain().await;
        let log = std::fs::read_to_string(self.log.path()).unwrap();
        assert!(!log.contains(PROMPT), "a prompt in the access log");
        let mut scan = Scan::new(keys.iter().map(|(name, value)| (&**name, &**value)));
        scan.look("the access log", &log);
        scan.look("the metrics", metrics);
        scan.look("what clients got", self.seen.bytes());
        scan.finish().unwrap_or_else(|found| panic!("{found}"));
        for fake in fakes {
            for entry in fake.log(0) {
                let text = serde_json::to_string(&entry).unwrap();
                assert!(
                    !text.contains(CLIENT_KEY),
                    "the client's key at a provider: {text}"
                );
            }
        }
        log.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Inference requests that a provider saw.
pub(crate) fn asked(fake: &FakeProvider) -> Vec<Entry> {
    fake.log(0).into_iter().filter(Entry::is_inference).collect()
}

/// The names of the keys that it saw, in the order of the requests.
pub(crate) fn keys_asked(fake: &FakeProvider) -> Vec<String> {
    asked(fake).into_iter().map(|entry| entry.key).collect()
}

/// Waits for something to be so at a provider.
pub(crate) async fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    wait::until(what, limit, || {
        std::future::ready(holds().then_some(()).ok_or("not yet"))
    })
    .await
    .unwrap();
}

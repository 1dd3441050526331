//! A client that shows exactly what came over the wire: no retries, no
//! redirects, no decoding.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream;
use serde_json::{Value, json};

use super::told::Told;

/// Longer than any answer that a test waits for takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Sends requests to one address with one client key.
#[derive(Clone, Debug)]
pub struct Caller {
    http: reqwest::Client,
    base: String,
    key: String,
    model: String,
    told: Told,
}

/// One answer as it came.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
    pub sent: Instant,
    pub took: Duration,
}

impl Reply {
    /// Whether it is what a client hopes for: 200, and a stream is whole.
    pub fn is_answer(&self) -> bool {
        let stream = self
            .header("content-type")
            .is_some_and(|content| content.starts_with("text/event-stream"));
        self.status == 200 && (!stream || self.body.ends_with(b"data: [DONE]\n\n"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Caller {
    /// `base` is the root URL, without `/v1`.
    pub(super) fn new(base: &str, key: &str, model: &str, told: Told) -> anyhow::Result<Self> {
        // reqwest asks for a provider even where nothing is encrypted.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(LIMIT)
            .build()?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            key: key.to_owned(),
            model: model.to_owned(),
            told,
        })
    }

    /// The same client at another address, such as one proxy's.
    #[must_use]
    pub fn to(&self, base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { base, ..self.clone() }
    }

    /// The same with another client key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        let key = key.to_owned();
        Self { key, ..self.clone() }
    }

    /// The same that asks for another model.
    #[must_use]
    pub fn for_model(&self, model: &str) -> Self {
        let model = model.to_owned();
        Self {
            model,
            ..self.clone()
        }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// A chat completion, not streamed.
    pub async fn chat(&self, prompt: &str) -> Result<Reply, reqwest::Error> {
        self.ask(prompt, false).await
    }

    /// A streamed chat completion, read to its end.
    pub async fn stream(&self, prompt: &str) -> Result<Reply, reqwest::Error> {
        self.ask(prompt, true).await
    }

    pub(super) async fn ask(&self, prompt: &str, streamed: bool) -> Result<Reply, reqwest::Error> {
        let mut body = json!({"model": self.model, "messages": [{"role": "user", "content": prompt}]});
        if streamed {
            body["stream"] = true.into();
        }
        self.post("/v1/chat/completions", body.to_string()).await
    }

    /// Any POST with a JSON body.
    pub async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Result<Reply, reqwest::Error> {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .body(body.into());
        self.send(request).await
    }

    /// Any GET.
    pub async fn get(&self, path: &str) -> Result<Reply, reqwest::Error> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
        let sent = Instant::now();
        let answer = request.bearer_auth(&self.key).send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await?.to_vec();
        let took = sent.elapsed();
        self.told
            .keep(format!("headers from {}", self.base), format!("{headers:?}"));
        self.told.keep(format!("answer from {}", self.base), body.clone());
        Ok(Reply {
            status,
            headers,
            body,
            sent,
            took,
        })
    }

    /// `count` chat completions, `at_once` of them at a time; every second one
    /// streamed.
    pub async fn many(&self, count: usize, at_once: usize) -> Vec<Result<Reply, reqwest::Error>> {
        let ask =
            |number: usize| async move { self.ask(&format!("question {number}"), number % 2 == 1).await };
        stream::iter((0..count).map(ask))
            .buffer_unordered(at_once)
            .collect()
            .await
    }
}

/// Fails with the first that is not a whole answer, and says how many were not.
pub fn all_answered(replies: &[Result<Reply, reqwest::Error>]) -> anyhow::Result<()> {
    let bad = |reply: &&Result<Reply, reqwest::Error>| !reply.as_ref().is_ok_and(Reply::is_answer);
    let count = replies.iter().filter(bad).count();
    match replies.iter().find(bad) {
        None => Ok(()),
        Some(Ok(reply)) => anyhow::bail!(
            "{count} of {} requests were not answered; the first got {}: {}",
            replies.len(),
            reply.status,
            reply.text()
        ),
        Some(Err(error)) => anyhow::bail!(
            "{count} of {} requests were not answered; the first: {error:?}",
            replies.len()
        ),
    }
}

//! The Rust end of the control API, for a fake provider in another process or pod.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::fake::ListenerName;
use crate::options::Addresses;
use crate::record::{Counts, Entry};
use crate::scenario::{Key, KeyState, Limit, Rule, Scenario};
use crate::serve::CloseHow;
use crate::serve::accept::ListenerMode;
use crate::tls::TlsFault;

/// Talks to a control port. Each call makes a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    control: SocketAddr,
}

/// Why a control call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The control port does not answer.
    #[error("control port {control} does not answer: {error}")]
    Connect {
        /// The address.
        control: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The exchange broke.
    #[error("control call {call} broke: {error}")]
    Exchange {
        /// Method and path.
        call: String,
        /// Why.
        error: hyper::Error,
    },
    /// The provider refused the call.
    #[error("control call {call} was refused with {status}: {why}")]
    Refused {
        /// Method and path.
        call: String,
        /// Status.
        status: StatusCode,
        /// Its reason.
        why: String,
    },
    /// Question or answer is not the expected JSON.
    #[error("control call {call}: {error}")]
    Json {
        /// Method and path.
        call: String,
        /// Why.
        error: serde_json::Error,
    },
    /// It did not come in time.
    #[error("not so within {limit:?}; the log had {seen} requests")]
    TimedOut {
        /// How long was waited.
        limit: Duration,
        /// How many requests were seen.
        seen: usize,
    },
}

type Result<T> = std::result::Result<T, ClientError>;

impl Client {
    /// A client of this control port.
    pub fn new(control: SocketAddr) -> Self {
        Self { control }
    }

    /// Where the provider listens, as it sees itself.
    pub async fn addresses(&self) -> Result<Addresses> {
        self.get("/addresses").await
    }

    /// The certificate of its CA.
    pub async fn ca_pem(&self) -> Result<String> {
        let text = self.call(Method::GET, "/ca.pem", Bytes::new()).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The scenario as it stands.
    pub async fn scenario(&self) -> Result<Scenario> {
        self.get("/scenario").await
    }

    /// Another scenario.
    pub async fn set_scenario(&self, scenario: &Scenario) -> Result<()> {
        self.put("/scenario", scenario).await
    }

    /// Back to the start, log and counters empty.
    pub async fn reset(&self) -> Result<()> {
        self.send(Method::POST, "/reset", &()).await
    }

    /// Adds or replaces a key.
    pub async fn put_key(&self, key: &Key) -> Result<()> {
        self.put(&format!("/keys/{}", key.name), key).await
    }

    /// Forgets a key.
    pub async fn remove_key(&self, name: &str) -> Result<()> {
        self.call(Method::DELETE, &format!("/keys/{name}"), Bytes::new())
            .await
            .map(drop)
    }

    /// Makes a key work or not.
    pub async fn set_key_state(&self, name: &str, state: KeyState) -> Result<()> {
        self.put(&format!("/keys/{name}/state"), &state).await
    }

    /// Gives a key another value and makes it active.
    pub async fn rotate_key(&self, name: &str, value: &str) -> Result<()> {
        self.put(&format!("/keys/{name}/value"), &value).await
    }

    /// Other limits.
    pub async fn set_limits(&self, limits: &[Limit]) -> Result<()> {
        self.put("/limits", &limits).await
    }

    /// Adds a rule; returns its name.
    pub async fn add_rule(&self, rule: &Rule) -> Result<String> {
        let answer = self
            .call(Method::POST, "/rules", self.json("POST /rules", rule)?)
            .await?;
        self.parse("POST /rules", &answer)
    }

    /// Removes a rule.
    pub async fn remove_rule(&self, name: &str) -> Result<()> {
        self.call(Method::DELETE, &format!("/rules/{name}"), Bytes::new())
            .await
            .map(drop)
    }

    /// Removes all rules.
    pub async fn clear_rules(&self) -> Result<()> {
        self.call(Method::DELETE, "/rules", Bytes::new()).await.map(drop)
    }

    /// Requests received after number `since`.
    pub async fn log(&self, since: u64) -> Result<Vec<Entry>> {
        self.get(&format!("/log?since={since}")).await
    }

    /// Forgets requests and counters.
    pub async fn clear_log(&self) -> Result<()> {
        self.call(Method::DELETE, "/log", Bytes::new()).await.map(drop)
    }

    /// Counters per key.
    pub async fn counts(&self) -> Result<Counts> {
        self.get("/counts").await
    }

    /// Switches recording.
    pub async fn record(&self, on: bool) -> Result<()> {
        self.put("/record", &on).await
    }

    /// What a listener does with connects; returns once it is so.
    pub async fn set_listener(&self, name: ListenerName, mode: ListenerMode) -> Result<()> {
        let name = if name == ListenerName::Http {
            "http"
        } else {
            "https"
        };
        self.put(&format!("/listener/{name}"), &mode).await
    }

    /// What is wrong with the next handshakes.
    pub async fn set_tls_fault(&self, fault: TlsFault) -> Result<()> {
        self.put("/tls", &fault).await
    }

    /// Closes all open connections.
    pub async fn close_connections(&self, how: CloseHow) -> Result<()> {
        self.send(Method::POST, "/connections/close", &how).await
    }

    /// Asks for the log until it is as wanted; an error tells how much was seen at the limit.
    pub async fn wait_for_log(
        &self,
        limit: Duration,
        wanted: impl Fn(&[Entry]) -> bool,
    ) -> Result<Vec<Entry>> {
        let end = tokio::time::Instant::now() + limit;
        loop {
            let log = self.log(0).await?;
            if wanted(&log) {
                return Ok(log);
            }
            if tokio::time::Instant::now() >= end {
                return Err(ClientError::TimedOut {
                    limit,
                    seen: log.len(),
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.call(Method::GET, path, Bytes::new()).await?;
        self.parse(path, &answer)
    }

    async fn put(&self, path: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        self.send(Method::PUT, path, value).await
    }

    async fn send(&self, method: Method, path: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        let body = self.json(path, value)?;
        self.call(method, path, body).await.map(drop)
    }

    fn json(&self, call: &str, value: &(impl Serialize + ?Sized)) -> Result<Bytes> {
        let json = serde_json::to_vec(value);
        json.map(Bytes::from).map_err(|error| ClientError::Json {
            call: call.to_owned(),
            error,
        })
    }

    fn parse<T: DeserializeOwned>(&self, call: &str, bytes: &[u8]) -> Result<T> {
        serde_json::from_slice(bytes).map_err(|error| ClientError::Json {
            call: call.to_owned(),
            error,
        })
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes> {
        let connect = |error| ClientError::Connect {
            control: self.control,
            error,
        };
        let tcp = TcpStream::connect(self.control).await.map_err(connect)?;
        let call = format!("{method} {path}");
        let broke = |error| ClientError::Exchange {
            call: call.clone(),
            error,
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.map_err(broke)?;
        let exchange = async {
            let mut request = Request::new(Full::new(body));
            *request.method_mut() = method;
            *request.uri_mut() = path.parse().unwrap_or_default();
            request
                .headers_mut()
                .insert(http::header::HOST, http::HeaderValue::from_static("control"));
            let (head, body) = sender.send_request(request).await?.into_parts();
            Ok((head.status, body.collect().await?.to_bytes()))
        };
        let (status, body) = tokio::select! {
            answer = exchange => answer.map_err(broke)?,
            // The connection ends only after the exchange, or with its error, which the exchange then tells too.
            never = async { let _ = connection.await; std::future::pending().await } => never,
        };
        if status != StatusCode::OK {
            return Err(ClientError::Refused {
                call,
                status,
                why: String::from_utf8_lossy(&body).into_owned(),
            });
        }
        Ok(body)
    }
}

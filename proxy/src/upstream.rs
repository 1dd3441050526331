//! Connections to providers, and one exchange on one of them.
//!
//! The rules, and why. *Exactly one layer retries*, and it is not this one: the only thing repeated here is a request that was never written,
//! because the idle connection it was given to had died. *Connections belong to an address, not to a key*: the API key is only a
//! header, so all keys of an endpoint share one stack of idle connections, the most recently used first. *A connection
//! is driven by the task that uses it*: an exchange needs no second task and no wake across threads, and dropping its
//! future or its answer closes the socket at once, which is how a client that went away cancels a provider's work.
//!
//! No redirects are followed, nothing is decompressed, no proxy is taken from the environment.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Once, Weak};
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use parking_lot::RwLock;

use crate::runtime::{Endpoint, EndpointKey};

mod answer;
mod connect;
mod error;
mod exchange;
mod frames;
mod idle;
mod resolve;
mod stream;

pub use answer::{Answer, AnswerCut};
pub use error::{TlsFault, UpstreamError};
pub use frames::{Frames, RequestBody};
pub use resolve::{InvalidOverride, Override};

use exchange::{Failure, Live};
pub(crate) use idle::settle_on;
use idle::{Origin, SWEEP};
use resolve::Resolver;

/// Sends requests to providers. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    resolver: Resolver,
    origins: RwLock<HashMap<EndpointKey, Arc<Origin>>>,
    sweeping: Once,
}

impl Client {
    /// A client without connections. `overrides` stand in for DNS, as curl's `--resolve` does.
    pub fn new(overrides: Vec<Override>) -> Self {
        Self {
            shared: Arc::new(Shared {
                resolver: Resolver::new(overrides),
                origins: RwLock::default(),
                sweeping: Once::new(),
            }),
        }
    }

    /// Sends a request whose target is in origin form and whose headers are complete, `host` included, and waits for
    /// the answer's head at most `head_timeout` from when a connection is there. Dropping the future closes the connection.
    ///
    /// # Errors
    /// What failed, and with it whether the provider may have worked on the request.
    pub async fn send(
        &self,
        endpoint: &Endpoint,
        mut request: Request<RequestBody>,
        head_timeout: Duration,
    ) -> Result<Response<Answer>, UpstreamError> {
        let origin = self.origin(&endpoint.key);
        if let Some(live) = poll_fn(|cx| Poll::Ready(origin.take(cx))).await {
            match live.exchange(request, head_timeout).await {
                Ok(response) => return Ok(response),
                Err(Failure::NotWritten(back)) => request = *back,
                Err(Failure::Failed(error)) => return Err(error),
            }
        }
        let stream = connect::connect(endpoint, &self.shared.resolver).await?;
        let live = Live::begin(stream, origin).await?;
        live.exchange(request, head_timeout)
            .await
            .map_err(|failure| match failure {
                Failure::NotWritten(_) => UpstreamError::NotSent,
                Failure::Failed(error) => error,
            })
    }

    fn origin(&self, key: &EndpointKey) -> Arc<Origin> {
        if let Some(origin) = self.shared.origins.read().get(key) {
            return origin.clone();
        }
        self.shared.sweeping.call_once(|| {
            tokio::spawn(sweep(Arc::downgrade(&self.shared)));
        });
        self.shared
            .origins
            .write()
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Origin::new(key.https)))
            .clone()
    }
}

/// Drops old and dead connections, and origins that nobody uses any more.
async fn sweep(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(shared) = shared.upgrade() else { return };
        let origins: Vec<_> = shared.origins.read().values().cloned().collect();
        for origin in &origins {
            origin.sweep();
        }
        drop(origins);
        shared
            .origins
            .write()
            .retain(|_, origin| Arc::strong_count(origin) > 1 || !origin.is_empty());
    }
}

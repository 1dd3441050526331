//! An API server that holds one Lease and nothing else.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Candidate, Client, Duration, Lease, LeaseSettings};

/// What was asked of the server besides reading.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Told {
    /// The Lease was written.
    Written {
        /// Its holder.
        holder: String,
        /// Its transition count.
        term: i32,
    },
    /// A write was refused.
    Refused,
}

impl Told {
    pub(crate) fn written(holder: &str, term: i32) -> Self {
        Self::Written {
            holder: holder.to_owned(),
            term,
        }
    }
}

#[derive(Default)]
struct State {
    lease: Option<Lease>,
    version: u64,
    refuse: usize,
    between: bool,
}

/// The server.
#[derive(Clone)]
pub(crate) struct FakeLease {
    state: Arc<Mutex<State>>,
    told: UnboundedSender<Told>,
}

impl FakeLease {
    /// Without a Lease.
    pub(crate) fn start() -> (Self, UnboundedReceiver<Told>) {
        let (told, asked) = unbounded_channel();
        let state = Arc::default();
        (Self { state, told }, asked)
    }

    /// A candidate with the usual times.
    pub(crate) fn candidate(&self, identity: &str) -> Candidate {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let settings = LeaseSettings {
            namespace: "keypool".into(),
            name: "keypool-operator".into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        };
        Candidate::new(Client::new(service, "keypool"), settings)
    }

    /// So many writes fail from now on.
    pub(crate) fn refuse_writes(&self, writes: usize) {
        self.state.lock().refuse = writes;
    }

    /// Between the next reading and its write, somebody else writes the same.
    pub(crate) fn write_between(&self) {
        self.state.lock().between = true;
    }

    /// Who holds the Lease.
    pub(crate) fn holder(&self) -> Option<String> {
        self.state
            .lock()
            .lease
            .as_ref()?
            .spec
            .as_ref()?
            .holder_identity
            .clone()
    }

    /// Somebody else takes the Lease.
    pub(crate) fn take(&self, holder: &str) {
        let mut state = self.state.lock();
        state.version += 1;
        if let Some(spec) = state.lease.as_mut().and_then(|lease| lease.spec.as_mut()) {
            spec.holder_identity = Some(holder.to_owned());
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect_bytes().await.unwrap();
        let mut state = self.state.lock();
        if parts.method == Method::GET {
            let Some(mut lease) = state.lease.clone() else {
                return refusal(StatusCode::NOT_FOUND, "NotFound");
            };
            lease.metadata.resource_version = Some(state.version.to_string());
            if std::mem::take(&mut state.between) {
                state.version += 1;
            }
            return answer(StatusCode::OK, &lease);
        }
        if state.refuse > 0 {
            state.refuse -= 1;
            self.told.send(Told::Refused).unwrap();
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
        }
        let lease: Lease = serde_json::from_slice(&bytes).unwrap();
        let known = lease.metadata.resource_version.clone();
        if known.is_some_and(|known| known != state.version.to_string()) {
            return refusal(StatusCode::CONFLICT, "Conflict");
        }
        let spec = lease.spec.clone().unwrap();
        let holder = spec.holder_identity.unwrap_or_default();
        state.version += 1;
        state.lease = Some(lease.clone());
        // A test that is over listens no more.
        let _ = self
            .told
            .send(Told::written(&holder, spec.lease_transitions.unwrap_or_default()));
        answer(StatusCode::OK, &lease)
    }
}

fn refusal(code: StatusCode, reason: &str) -> Response<Body> {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Failure", "message": reason, "reason": reason, "code": code.as_u16(),
    });
    answer(code, &status)
}

fn answer(code: StatusCode, body: &impl serde::Serialize) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap()));
    *response.status_mut() = code;
    response
}

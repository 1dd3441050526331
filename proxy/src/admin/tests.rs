//! The exchange, with and without its transport, and the health listener.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use keypool_balance::MemberSet;
use keypool_balance::health::KeyState;
use keypool_contract::exchange::{ExchangeRequest, ExchangeResponse, StaleTerm};
use keypool_dialect::outcome::{Class, Outcome};

use super::{Exchange, listen};
use crate::config::{Intake, Origin};
use crate::pool::{Attempted, Pool};
use crate::runtime::Runtime;
use crate::runtime::fixtures::{encode, simple};
use crate::telemetry::Metrics;

mod exchange;
mod health;
mod transport;

struct Pod {
    runtime: Arc<Runtime>,
    pool: Arc<Pool>,
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
    exchange: Arc<Exchange>,
}

impl Pod {
    fn new() -> Self {
        let (runtime, pool, metrics) = (
            Arc::new(Runtime::default()),
            Pool::new("pod".into(), 1),
            Metrics::new(),
        );
        let intake = Arc::new(Intake::new(runtime.clone(), pool.clone(), metrics.clone()));
        let exchange = Arc::new(Exchange::new(pool.clone(), intake.clone()));
        Self {
            runtime,
            pool,
            intake,
            metrics,
            exchange,
        }
    }

    /// A pod that runs generation 1.
    fn running() -> Self {
        let pod = Self::new();
        pod.intake.offer(Origin::Mounted, &encode(&simple(1)));
        pod
    }

    /// A request that meets a rate limit; the key that rests.
    fn limit(&self, seconds: u64) -> String {
        let snapshot = self.runtime.current().unwrap();
        let group = snapshot.groups()[0].clone();
        let mut journey = self
            .pool
            .begin(snapshot, group, MemberSet::ALL, false, std::time::Instant::now());
        let target = journey.pick().unwrap();
        let mut outcome = Outcome::new(Class::Rate, "rate_limit_exceeded");
        outcome.machine_code = true;
        outcome.hint = Some(Duration::from_secs(seconds));
        journey.settle(Attempted::Answered(&outcome));
        target.credential().fingerprint.clone()
    }

    fn states(&self) -> Vec<KeyState> {
        let (health, _) = self.pool.health();
        health[0].credentials.iter().map(|key| key.state).collect()
    }

    async fn ask(&self, request: ExchangeRequest) -> Result<ExchangeResponse, StaleTerm> {
        self.exchange.answer(request).await
    }
}

fn request(term: u64, known: Option<&ExchangeResponse>) -> ExchangeRequest {
    ExchangeRequest {
        term,
        reader: "leader".into(),
        instance: known.map_or_else(String::new, |response| response.instance.clone()),
        confirmed: known.map_or(0, |response| response.sequence),
        acknowledged: known
            .map(|response| response.acknowledgement.clone())
            .unwrap_or_default(),
        document: None,
        advisories: None,
        first_validations: None,
        clear_cooldowns: Vec::new(),
        wait_ms: 0,
    }
}

fn loopback() -> (std::net::TcpListener, SocketAddr) {
    let listener = listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

//! A whole proxy in one value: the binary runs one, local mode and tests as many as they like.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use keypool_contract::exchange::{Acknowledgement, ExchangeRequest, ExchangeResponse, StaleTerm};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::admin::{self, Exchange, Health, Identity, KeyMetrics};
use crate::config::{Intake, Source};
use crate::inbound;
use crate::options::{Addresses, Options};
use crate::pool::Pool;
use crate::probe::Prober;
use crate::runtime::Runtime;
use crate::telemetry::{AccessLog, AccessLogError, Metrics, Telemetry};
use crate::upstream::Client;

/// A new pod knows nothing of what others learned: that a key is refused, or limited for an hour. The leader tells it within a
/// second. So long it is not ready and asks about no key; then it serves by itself, because the operator may be away.
const BRIEFING: Duration = Duration::from_secs(5);

/// How soon a certificate or token that could not be used is read again.
const IDENTITY_RETRY: Duration = Duration::from_secs(10);

/// Why a proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen for {who} on {address}")]
    Listen {
        /// Whom it was for.
        who: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The threads that serve clients cannot be started.
    #[error("cannot start the threads that serve")]
    Threads(#[source] std::io::Error),
    /// No access log.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    /// The exchange's certificate and token come with a directory.
    #[error("the exchange needs a configuration directory, which holds its certificate and token")]
    ExchangeWithoutDirectory,
}

/// A running proxy. Dropped, it ends at once; [`Self::drain`] ends it politely.
pub struct Proxy {
    addresses: Addresses,
    runtime: Arc<Runtime>,
    pool: Arc<Pool>,
    telemetry: Telemetry,
    intake: Arc<Intake>,
    exchange: Arc<Exchange>,
    draining: CancellationToken,
    serving: JoinHandle<()>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _ends: [DropGuard; 2],
}

/// What tells the tasks of a proxy apart from another's.
struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
    }
}

impl Proxy {
    /// Starts everything. A document that is there already runs when this returns.
    ///
    /// # Errors
    /// What could not be set up; nothing runs then.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let directory = match &options.source {
            Source::Directory(directory) => Some(directory.path().to_owned()),
            Source::Channel(_) => None,
        };
        if options.exchange.is_some() && directory.is_none() {
            return Err(StartError::ExchangeWithoutDirectory);
        }
        let (clients, at) = listen("clients", options.clients, inbound::bind)?;
        let health = options.health.map(|at| listen("health", at, one)).transpose()?;
        let exchange = options
            .exchange
            .map(|at| listen("the exchange", at, one))
            .transpose()?;
        let addresses = Addresses {
            clients: at,
            health: health.as_ref().map(|(_, at)| *at),
            exchange: exchange.as_ref().map(|(_, at)| *at),
        };

        let metrics = Metrics::new();
        let access_log = AccessLog::open(&options.access_log, metrics.clone())?;
        let telemetry = Telemetry {
            metrics: metrics.clone(),
            access_log,
        };
        let runtime = Arc::new(Runtime::default());
        let instance = format!("{:016x}", rand::random::<u64>());
        let pool = Pool::new(instance.as_str().into(), rand::random());
        metrics.collect(KeyMetrics::new(pool.clone(), runtime.clone()));
        let intake = Arc::new(Intake::new(runtime.clone(), pool.clone(), metrics.clone()));
        let leader = Arc::new(Exchange::new(pool.clone(), intake.clone()));
        let client = Client::new(options.resolve);

        let stop = CancellationToken::new();
        let draining = CancellationToken::new();
        let tasks = Tasks {
            tracker: TaskTracker::new(),
            stop: stop.clone(),
        };
        let changed = watch::Sender::new(0);
        let directory_changes = changed.subscribe();
        tasks.spawn(options.source.begin(intake.clone(), changed).await.follow());
        tasks.spawn(pool.clone().keep_time());
        tasks.spawn(pool.clone().tell_transitions());
        if options.exchange.is_some() {
            pool.await_leader();
            let briefed = pool.briefed().clone();
            tasks.spawn(async move {
                let _ = tokio::time::timeout(BRIEFING, briefed.cancelled()).await;
                briefed.cancel();
            });
        } else {
            pool.briefed().cancel();
        }
        let (prober, briefed) = (Prober::new(pool.clone(), client.clone()), pool.briefed().clone());
        tasks.spawn(async move {
            briefed.cancelled().await;
            prober.run().await;
        });

        if let Some((listeners, _)) = health {
            let health = Arc::new(Health::new(
                runtime.clone(),
                pool.clone(),
                metrics,
                draining.clone(),
            ));
            for listener in listeners {
                tasks
                    .tracker
                    .spawn(admin::serve_health(listener, health.clone(), stop.clone()));
            }
        }
        if let (Some((listeners, _)), Some(directory)) = (exchange, directory) {
            let identity = Arc::new(ArcSwapOption::empty());
            let read = read_identity(&directory, &identity);
            tasks.spawn(follow_identity(
                directory,
                identity.clone(),
                read,
                directory_changes,
            ));
            for listener in listeners {
                let serve = admin::serve_exchange(listener, leader.clone(), identity.clone(), stop.clone());
                tasks.tracker.spawn(serve);
            }
        }
        let service = Arc::new(inbound::Service::new(
            runtime.clone(),
            pool.clone(),
            telemetry.clone(),
            client,
        ));
        let doors =
            inbound::Doors::new(clients, service, options.drain_limit).map_err(StartError::Threads)?;
        let serving = tokio::spawn(doors.open(draining.clone()));
        Ok(Self {
            addresses,
            runtime,
            pool,
            telemetry,
            intake,
            exchange: leader,
            serving,
            tasks: tasks.tracker,
            _ends: [draining.clone().drop_guard(), stop.clone().drop_guard()],
            draining,
            stop,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What runs.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// What was learned.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// What was counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.telemetry.metrics
    }

    /// The access log, where there is one.
    pub fn access_log(&self) -> Option<Arc<AccessLog>> {
        self.telemetry.access_log.clone()
    }

    /// What it acknowledges, as it changes.
    pub fn acknowledgement(&self) -> watch::Receiver<Acknowledgement> {
        self.intake.acknowledgement()
    }

    /// The exchange without its transport, for a leader in the same process.
    ///
    /// # Errors
    /// The request's term is lower than one seen before.
    pub async fn exchange(&self, request: ExchangeRequest) -> Result<ExchangeResponse, StaleTerm> {
        self.exchange.answer(request).await
    }

    /// Ends politely: not ready any more, no new connections, open requests finish within the limit; then everything stops.
    pub async fn drain(self) {
        let began = Instant::now();
        self.draining.cancel();
        if self.serving.await.is_err() {
            tracing::error!("the clients' side ended by a panic");
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(log) = self.telemetry.access_log.clone() {
            // The only failure is a panic, which its own message tells.
            let _ = tokio::task::spawn_blocking(move || log.close()).await;
        }
        tracing::info!(seconds = began.elapsed().as_secs_f64(), "drained");
    }
}

fn one(address: SocketAddr) -> std::io::Result<Vec<TcpListener>> {
    Ok(vec![admin::listen::bind(address)?])
}

/// Opens listeners, and tells the address that they got.
fn listen(
    who: &'static str,
    address: SocketAddr,
    bind: impl FnOnce(SocketAddr) -> std::io::Result<Vec<TcpListener>>,
) -> Result<(Vec<TcpListener>, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { who, address, source };
    let listeners = bind(address).map_err(failed)?;
    let at = listeners
        .first()
        .map_or(Ok(address), TcpListener::local_addr)
        .map_err(failed)?;
    Ok((listeners, at))
}

async fn follow_identity(
    directory: PathBuf,
    identity: Arc<ArcSwapOption<Identity>>,
    mut read: bool,
    mut changes: watch::Receiver<u64>,
) {
    loop {
        // What cannot be read now may be readable without a change.
        let retry = async {
            match read {
                true => std::future::pending().await,
                false => tokio::time::sleep(IDENTITY_RETRY).await,
            }
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = retry => {}
        }
        read = read_identity(&directory, &identity);
    }
}

/// False if it cannot be used.
fn read_identity(directory: &std::path::Path, identity: &ArcSwapOption<Identity>) -> bool {
    match Identity::read(directory) {
        Ok(read) => {
            identity.store(Some(Arc::new(read)));
            true
        }
        Err(error) => {
            let kept = identity.load().is_some();
            tracing::error!(%error, kept, "the exchange's certificate or token cannot be used");
            false
        }
    }
}

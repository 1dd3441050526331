//! Local mode: the manifests, the operator's pure functions, one proxy, one table.
//!
//! ```text
//! files ─> manifests ─> world ── document ──> proxy
//!                         ^ └─ survey ─> screen, status      once ─> proxy
//!                         └── verdicts ── exchange ┘
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use keypool_contract::exchange::{Acknowledgement, ClearCooldown, ExchangeRequest, ExchangeResponse};
use keypool_contract::limits::MAX_POLL_MS;
use keypool_contract::{Encoded, Secret};
use keypool_operator::clock::Clock;
use keypool_proxy::config::Source;
use keypool_proxy::telemetry::{self, Sink};
use keypool_proxy::{Options, Proxy};
use tokio::sync::{mpsc, watch};

use crate::args::{self, CLIENT_KEY_VARIABLE, DEMO_KEY};

mod counts;
mod greeting;
mod http;
mod manifests;
mod once;
mod screen;
mod session;
mod signals;
mod status;
mod table;
mod world;

use greeting::ClientKey;
use manifests::{Seen, would_read};
use session::{Feeds, Session, Traffic};
use signals::Signals;
use world::World;

/// How long open requests may go on when the person ends it.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// Beginnings of the variables that hold values of Secrets and ConfigMaps.
const VARIABLES: [&str; 2] = ["KEYPOOL_SECRET_", "KEYPOOL_CONFIGMAP_"];

/// Serves until the person ends it.
///
/// # Errors
/// What keeps it from serving, or what the scripted traffic met.
pub(crate) fn run(args: args::Run) -> anyhow::Result<()> {
    // The table is what a person reads; logs are for whoever asks for them.
    if let Ok(filter) = std::env::var("RUST_LOG") {
        telemetry::subscribe(&filter);
    }
    let runtime = tokio::runtime::Runtime::new().context("no threads")?;
    let outcome = runtime.block_on(start(args));
    runtime.shutdown_background();
    outcome
}

async fn start(args: args::Run) -> anyhow::Result<()> {
    let client_key = client_key(&args)?;
    for (option, file) in [("--status", &args.status), ("--access-log", &args.access_log)] {
        if let Some(file) = file.as_deref().filter(|file| would_read(&args.filename, file)) {
            bail!(
                "{option} {}: lies among the manifests and would be read as one; name a file elsewhere",
                file.display()
            );
        }
    }
    let environment = environment();
    let seen = Seen::look(&args.filename);
    let manifests = manifests::read(&args.filename, &args.namespace, &environment)?;
    // Before anything is served: what comes while it starts must not kill it halfway.
    let signals = Signals::new().context("cannot wait for signals")?;

    let (documents, source) = watch::channel(None);
    let proxy = Proxy::start(options(&args, source))
        .await
        .context("the proxy did not start")?;
    let at = proxy.addresses();
    let clients = greeting::reachable(at.clients);
    let clock = Clock::default();
    let world = World::new(format!("http://{clients}"), client_key, clock.now())?;
    let session = Session::new(&args, environment, seen, world, clock, documents);
    let outcome = serve(&args, session, &proxy, manifests, clients, signals).await;
    proxy.drain().await;
    match outcome {
        // Whoever read our output has enough of it.
        Err(error) if closed(&error) => Ok(()),
        other => other,
    }
}

async fn serve(
    args: &args::Run,
    session: Session,
    proxy: &Proxy,
    manifests: manifests::Manifests,
    clients: SocketAddr,
    signals: Signals,
) -> anyhow::Result<()> {
    let (counts, counted) = watch::channel(counts::Counts::default());
    if let Some(metrics) = proxy.addresses().health {
        tokio::spawn(counts::follow(greeting::reachable(metrics), counts));
    }
    let (told, answers) = mpsc::unbounded_channel();
    let wishes = session.wishes();
    let feeds = Feeds {
        answers,
        acknowledged: proxy.acknowledgement(),
        counts: counted,
        signals,
    };
    let script = args.once.then(|| Traffic {
        clients,
        key: args.client_key.clone(),
    });
    tokio::select! {
        outcome = session.run(manifests, feeds, script) => outcome,
        () = exchange(proxy, wishes, told) => Ok(()),
    }
}

/// The exchange with the proxy, without transport: what was received counts as confirmed, because nothing lies between.
async fn exchange(
    proxy: &Proxy,
    mut wishes: watch::Receiver<Vec<ClearCooldown>>,
    told: mpsc::UnboundedSender<ExchangeResponse>,
) {
    let (mut instance, mut confirmed, mut acknowledged) = (String::new(), 0, Acknowledgement::default());
    loop {
        let request = ExchangeRequest {
            term: 1,
            reader: "local".into(),
            instance: instance.clone(),
            confirmed,
            acknowledged: acknowledged.clone(),
            document: None,
            advisories: None,
            first_validations: None,
            clear_cooldowns: wishes.borrow_and_update().clone(),
            wait_ms: MAX_POLL_MS,
        };
        let answer = tokio::select! {
            answer = proxy.exchange(request) => answer,
            changed = wishes.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        // Nobody else asks, so no term is higher; and without a session there is nobody to tell.
        let Ok(response) = answer else { return };
        (instance, confirmed) = (response.instance.clone(), response.sequence);
        acknowledged = response.acknowledgement.clone();
        if told.send(response).is_err() {
            return;
        }
    }
}

fn options(args: &args::Run, source: watch::Receiver<Option<Encoded>>) -> Options {
    Options {
        clients: args.listen(),
        health: Some(args.health_listen),
        exchange: None,
        source: Source::Channel(source),
        resolve: args.resolve.clone(),
        access_log: args.access_log.clone().map_or(Sink::None, Sink::File),
        drain_limit: DRAIN_LIMIT,
    }
}

/// A key that everybody knows must not open real keys to other machines.
fn client_key(args: &args::Run) -> anyhow::Result<Secret> {
    if ClientKey::of(&args.client_key) == ClientKey::Demo && !args.listen().ip().is_loopback() {
        bail!(
            "{} can be reached from other machines, and everybody knows the client key {DEMO_KEY}; set {CLIENT_KEY_VARIABLE} to one of your own",
            args.listen()
        );
    }
    Secret::parse(args.client_key.as_bytes())
        .map_err(|malformed| anyhow::anyhow!("the client key cannot be used: {malformed}; give another one"))
}

fn environment() -> BTreeMap<String, String> {
    let texts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts
        .filter(|(name, _)| VARIABLES.iter().any(|beginning| name.starts_with(beginning)))
        .collect()
}

fn closed(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

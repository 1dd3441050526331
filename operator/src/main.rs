//! `keypool-operator`: wires the parts and runs until it is told to end or has lost its leadership.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use futures::StreamExt as _;
use keypool_operator::args::Args;
use keypool_operator::clock::Clock;
use keypool_operator::controller::context::{Context, Views, Wakes};
use keypool_operator::controller::{drive, watches};
use keypool_operator::fleet::knowledge::Knowledge;
use keypool_operator::fleet::pod::Leader;
use keypool_operator::fleet::roster::Roster;
use keypool_operator::health::Health;
use keypool_operator::install::Install;
use keypool_operator::k8s::apply::Children;
use keypool_operator::k8s::clients::Clients;
use keypool_operator::k8s::events::Events;
use keypool_operator::k8s::identity;
use keypool_operator::k8s::lease::{Candidate, LeaseSettings};
use keypool_operator::k8s::read::Reader;
use keypool_operator::k8s::watch::Watchdog;
use keypool_operator::leader::{self, Ended};
use keypool_operator::status::writer::Writer;
use keypool_operator::telemetry::Metrics;
use kube::runtime::reflector::ObjectRef;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// The exit code of a wrong command line.
const USAGE: u8 = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(problem) = args.check() {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
        tracing::error!("{problem}");
        return ExitCode::from(USAGE);
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the operator ends");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("another TLS provider is installed already");
    }
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let clients = Clients::infer().await?;
    let (metrics, watchdog, clock) = (Metrics::default(), Watchdog::default(), Clock::default());
    let health = Health::new(watchdog.clone(), metrics.clone());
    let listen = args.health_listen;
    health
        .clone()
        .serve(listen)
        .await
        .with_context(|| format!("health cannot be served on {listen}"))?;

    let (providers, mut provider_wakes) = futures::channel::mpsc::unbounded();
    let (groups, mut group_wakes) = futures::channel::mpsc::unbounded();
    let (subjects, mut subject_wakes) = mpsc::unbounded_channel();
    let wakes = Wakes {
        providers,
        groups,
        subjects,
    };
    let stores = watches::start(&clients, &args, &watchdog, &wakes);
    tokio::select! {
        ready = stores.ready() => ready?,
        // Without the definitions it waits for long.
        _ = terminate.recv() => return Ok(()),
    }
    health.set_ready();
    tracing::info!(instance = args.instance, "caches are warm; waiting for the Lease");

    // A restarted container is someone else: its predecessor's word does not bind it.
    let identity_in_lease = format!("{}_{:08x}", args.instance, rand::random::<u32>());
    let settings = LeaseSettings {
        namespace: args.namespace.clone(),
        name: args.lease_name.clone(),
        identity: identity_in_lease.clone(),
        duration: args.lease_duration,
        renew_deadline: args.renew_deadline,
        retry_period: args.retry_period,
    };
    let mut candidate = Candidate::new(clients.request.clone(), settings);
    // Who waits does not act on wakes and must not gather them for weeks; whoever leads looks at everything once.
    let pass_over = async {
        loop {
            tokio::select! {
                _ = provider_wakes.next() => {}
                _ = group_wakes.next() => {}
                _ = subject_wakes.recv() => {}
            }
        }
    };
    let term = tokio::select! {
        term = candidate.acquire() => term,
        () = pass_over => anyhow::bail!("the watches ended"),
        _ = terminate.recv() => return Ok(()),
    };
    tracing::info!(term = term.held(), "leading");
    metrics.leads();

    let leader = Leader {
        identity: identity_in_lease,
        term: term.clone(),
    };
    let work = |stop: CancellationToken| async move {
        let identity = tokio::select! {
            identity = identity::read_or_create(&clients.request, &args.namespace) => identity?,
            () = stop.cancelled() => return Ok(()),
        };
        let (news, heard) = mpsc::unbounded_channel();
        let knowledge = Arc::new(Knowledge::new(clock, news));
        let context = Arc::new(Context {
            clock,
            leading_since: clock.now().monotonic,
            install: Install {
                proxy_image: args.proxy_image.clone(),
                proxy_image_pull_policy: args.proxy_image_pull_policy.clone(),
                require_allowed_hosts: args.require_allowed_hosts,
            },
            identity,
            stores,
            wakes,
            reader: Reader::new(clients.request.clone()),
            children: Children::new(clients.request.clone()),
            roster: Roster::new(leader, Arc::clone(&knowledge)),
            knowledge,
            views: Views::default(),
            clients: clients.clone(),
        });
        for provider in context.stores.providers.state() {
            context.wakes.provider(ObjectRef::from_obj(provider.as_ref()));
        }
        for group in context.stores.groups.state() {
            context.wakes.group(ObjectRef::from_obj(group.as_ref()));
        }
        let events = Events::new(clients.request.clone(), &args.instance);
        let writer = Writer::new(Arc::clone(&context), events, metrics.clone());
        let mut loops = JoinSet::new();
        loops.spawn(writer.run(subject_wakes, heard, stop.clone()));
        loops.spawn(drive::run(
            Arc::clone(&context),
            metrics,
            provider_wakes,
            group_wakes,
            stop.clone(),
        ));
        while let Some(ended) = loops.join_next().await {
            ended.context("a loop of the leader broke")?;
            anyhow::ensure!(stop.is_cancelled(), "a loop of the leader ended by itself");
        }
        // Only the writer brings pods into the roster.
        context.roster.close().await;
        Ok(())
    };
    let told = async {
        terminate.recv().await;
    };
    match leader::lead(&mut candidate, &term, told, work).await {
        Ended::Released => Ok(()),
        Ended::Unfinished => anyhow::bail!("the work did not end in time; the Lease runs out by itself"),
        Ended::Lost(lost) => Err(lost.into()),
        Ended::Worked(result) => result,
    }
}

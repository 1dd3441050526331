//! `fake-provider`: a scripted stand-in for an LLM provider.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use keypool_fake_provider::{Answers, FakeProvider, Key, Latency, Options, Scenario, Stream};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Speaks the OpenAI wire format and does what its scenario and its control API say. Prints one line of JSON with its
/// addresses when it is ready.
#[derive(Debug, Parser)]
#[command(name = "fake-provider", version)]
struct Arguments {
    /// Address for plain HTTP; port 0 takes a free one, `off` does not listen.
    #[arg(long, default_value = "127.0.0.1:0", value_parser = address)]
    listen: Address,
    /// Address for HTTPS, with a certificate of its own CA.
    #[arg(long, default_value = "off", value_parser = address)]
    listen_tls: Address,
    /// Address of the control API.
    #[arg(long, default_value = "127.0.0.1:0", value_parser = address)]
    control: Address,
    /// DNS names and addresses on the certificate, besides the local ones.
    #[arg(long, value_delimiter = ',')]
    tls_names: Vec<String>,
    /// Write the CA certificate (PEM) to this file.
    #[arg(long)]
    ca_out: Option<PathBuf>,
    /// Keys as NAME=VALUE; given, only these are served (unless the scenario says `anyKey: true`).
    #[arg(long, value_delimiter = ',', value_parser = key)]
    keys: Vec<Key>,
    /// Scenario file, YAML or JSON: seed, models, keys, limits, rules, normal.
    #[arg(long)]
    scenario: Option<PathBuf>,
    /// Whether requests are recorded.
    #[arg(long, value_enum, default_value = "on")]
    record: Switch,
    /// How many requests the log keeps.
    #[arg(long, default_value_t = 200_000)]
    log_cap: usize,
    /// How answers are made: `derived` from the request, or `fixed` for benchmarks.
    #[arg(long, value_enum)]
    answers: Option<AnswerKind>,
    /// Content events of a stream.
    #[arg(long)]
    events: Option<u64>,
    /// Milliseconds between the events of a stream.
    #[arg(long)]
    cadence_ms: Option<f64>,
    /// Serving threads; 0: one for each core.
    #[arg(long, default_value_t = 0)]
    workers: usize,
    /// End when the thread that started this one ends (with its process, when that is the main thread).
    #[arg(long)]
    die_with_parent: bool,
}

#[derive(Debug, Clone, Copy)]
struct Address(Option<SocketAddr>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AnswerKind {
    Derived,
    Fixed,
}

fn address(text: &str) -> Result<Address, std::net::AddrParseError> {
    if text == "off" {
        return Ok(Address(None));
    }
    text.parse().map(|address| Address(Some(address)))
}

fn key(text: &str) -> Result<Key, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Key::new(name, value)),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Why the program ends.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{path}: {error}")]
    File { path: PathBuf, error: std::io::Error },
    #[error("{path}: {error}")]
    Scenario {
        path: PathBuf,
        error: keypool_fake_provider::ScenarioError,
    },
    #[error(transparent)]
    Start(#[from] keypool_fake_provider::StartError),
    #[error("cannot follow the parent process: {0}")]
    Parent(#[from] rustix::io::Errno),
    #[error("{0}")]
    Output(#[from] std::io::Error),
}

fn main() -> std::process::ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "fake-provider: {failure}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.die_with_parent {
        follow_parent()?;
    }
    let fake = FakeProvider::start(Options {
        listen: arguments.listen.0,
        listen_tls: arguments.listen_tls.0,
        control: arguments.control.0,
        tls_names: arguments.tls_names.clone(),
        scenario: scenario(&arguments)?,
        record: arguments.record == Switch::On,
        log_cap: arguments.log_cap,
        workers: arguments.workers,
    })?;
    if let (Some(path), Some(pem)) = (&arguments.ca_out, fake.ca_pem()) {
        std::fs::write(path, pem).map_err(|error| Failure::File {
            path: path.clone(),
            error,
        })?;
    }
    let line = serde_json::to_string(fake.addresses()).map_err(std::io::Error::from)?;
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    wait_for_signal()?;
    Ok(())
}

fn scenario(arguments: &Arguments) -> Result<Scenario, Failure> {
    let mut scenario = match &arguments.scenario {
        None => Scenario::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| Failure::File {
                path: path.clone(),
                error,
            })?;
            Scenario::parse(&text).map_err(|error| Failure::Scenario {
                path: path.clone(),
                error,
            })?
        }
    };
    scenario.keys.extend(arguments.keys.iter().cloned());
    match arguments.answers {
        Some(AnswerKind::Fixed) => scenario.answers = Answers::Fixed,
        Some(AnswerKind::Derived) => scenario.answers = Answers::Derived,
        None => {}
    }
    if arguments.events.is_some() || arguments.cadence_ms.is_some() {
        let stream = scenario.normal.stream.get_or_insert_with(Stream::default);
        stream.events = arguments.events.or(stream.events);
        stream.cadence = arguments.cadence_ms.map(Latency::Fixed).or(stream.cadence);
    }
    Ok(scenario)
}

/// SIGKILL when the parent is gone; also when it went before this was set.
fn follow_parent() -> Result<(), Failure> {
    let parent = rustix::process::getppid();
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    if rustix::process::getppid() != parent {
        std::process::exit(0);
    }
    Ok(())
}

fn wait_for_signal() -> Result<(), std::io::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => interrupted,
        }
    })
}

//! `load`: a bounded load generator. Prints its result as one line of JSON.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use keypool_fake_provider::load::{Amount, BodyKind, LoadOptions, run};

/// Sends chat completions to one address over plain HTTP/1.1: closed loop, or open loop with `--rate`. Ends with 1 when any
/// request failed and `--strict` is given.
#[derive(Debug, Parser)]
#[command(name = "load", version)]
struct Arguments {
    /// Where to connect.
    target: SocketAddr,
    /// Path of the request.
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// `Host` header, if not the address.
    #[arg(long)]
    host: Option<String>,
    /// Bearer token.
    #[arg(long, default_value = "sk-load")]
    key: String,
    /// Model in the body.
    #[arg(long, default_value = "gpt-4o-mini")]
    model: String,
    /// Ask for streams.
    #[arg(long)]
    stream: bool,
    /// Size of the request body in bytes.
    #[arg(long, default_value_t = 400)]
    body_bytes: usize,
    /// What the prompt is made of.
    #[arg(long, value_enum, default_value = "prose")]
    body_kind: Kind,
    /// Connections; in open loop the most requests at a time.
    #[arg(short, long, default_value_t = 1)]
    connections: usize,
    /// Threads.
    #[arg(short, long, default_value_t = 1)]
    threads: usize,
    /// Open loop: requests per second, latency counted from the intended start.
    #[arg(long)]
    rate: Option<f64>,
    /// Seconds to load, after the warm-up.
    #[arg(short, long, default_value_t = 5.0, conflicts_with = "requests")]
    duration: f64,
    /// Requests to send, instead of a duration.
    #[arg(short = 'n', long)]
    requests: Option<u64>,
    /// Seconds at the beginning that are not counted.
    #[arg(long, default_value_t = 0.0)]
    warmup: f64,
    /// Events that each stream must have, `[DONE]` included.
    #[arg(long)]
    expect_events: Option<u64>,
    /// Body bytes that each answer must have.
    #[arg(long)]
    expect_bytes: Option<u64>,
    /// Events are stamped by the fake provider: tell how long they were on their way.
    #[arg(long)]
    stamped: bool,
    /// Seconds of silence after which it gives up.
    #[arg(long, default_value_t = 30.0)]
    patience: f64,
    /// End with 1 when anything failed.
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Prose,
    Quotes,
}

impl Arguments {
    fn options(&self) -> LoadOptions {
        let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
        LoadOptions {
            target: self.target,
            path: self.path.clone(),
            host: self.host.clone(),
            key: self.key.clone(),
            model: self.model.clone(),
            stream: self.stream,
            body_bytes: self.body_bytes,
            body_kind: if self.body_kind == Kind::Quotes {
                BodyKind::Quotes
            } else {
                BodyKind::Prose
            },
            connections: self.connections,
            threads: self.threads,
            rate: self.rate,
            amount: self
                .requests
                .map_or(Amount::Time(seconds(self.duration)), Amount::Requests),
            warmup: seconds(self.warmup),
            expect_events: self.expect_events,
            expect_bytes: self.expect_bytes,
            stamped: self.stamped,
            patience: seconds(self.patience),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = run(&arguments.options())
        .map_err(|error| error.to_string())
        .and_then(|report| {
            let line = serde_json::to_string(&report).map_err(|error| error.to_string())?;
            writeln!(std::io::stdout(), "{line}").map_err(|error| error.to_string())?;
            Ok(report.failures())
        });
    match outcome {
        Ok(failures) if failures > 0 && arguments.strict => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "load: {error}");
            ExitCode::FAILURE
        }
    }
}

//! A fake LLM provider for Keypool's tests, demo and benchmarks.
//!
//! It speaks the OpenAI wire format from its published shapes and does on the wire what it is told: by a [`Scenario`] at
//! start and by its control API while it runs. It records what it received, so that a test asserts on what a provider would
//! have seen and charged, and not on what the component under test says of itself.
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! use keypool_fake_provider::{Answer, ErrorKind, FakeProvider, Key, Options, Rule};
//!
//! let fake = FakeProvider::start(Options::with_keys([Key::new("a", "sk-a"), Key::new("b", "sk-b")]))?;
//! fake.add_rule(Rule::new(Answer::error(ErrorKind::RateLimitExceeded).header("retry-after", "45")).key("a").times(1));
//! // … send requests to fake.http_url() …
//! assert_eq!(fake.log(0).len(), 2);
//! # Ok(()) }
//! ```
//!
//! Arrows: [`scenario`] (what was told) → `keys`, `rulebook`, `limits` (pure decisions) → `provider` (from a request to the
//! plan of an answer) → `score` (from a plan to steps) → `serve` (sockets). [`client`] and `control` are the two ends of the
//! control API.

pub mod client;
mod clock;
mod completion;
mod control;
mod digest;
mod fake;
mod gzip;
mod keys;
mod limits;
pub mod load;
mod options;
mod provider;
mod record;
mod request;
mod rulebook;
pub mod scenario;
mod score;
mod serve;
mod stamp;
mod template;
mod tls;
mod vendor;

pub use client::{Client, ClientError};
pub use digest::sha256_hex;
pub use fake::{FakeProvider, ListenerName, StartError};
pub use options::{Addresses, Options};
pub use provider::{ChangeError, Provider};
pub use record::{Counts, Entry, KeyCount, Outcome};
pub use scenario::{
    Answer, Answers, Body, Cut, CutHow, CutPoint, Ending, Key, KeyState, Latency, Limit, Match, Patterns,
    Rule, Scenario, ScenarioError, Stream,
};
pub use serve::CloseHow;
pub use serve::accept::ListenerMode;
pub use tls::{TlsError, TlsFault};
pub use vendor::{ErrorKind, go_duration, masked};

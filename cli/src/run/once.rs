//! A short scripted traffic that shows a key cooling down and coming back.
//!
//! Requests go to all groups in turn, every second one streamed, until a key cools down; then on, more slowly, until that key is
//! Healthy again and has answered another request. Every request must succeed: that its siblings take over is the point.

use std::net::SocketAddr;
use std::time::Duration;

use ::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::http::{self, HttpError};
use super::world::Row;

/// All of it.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two requests, before a key cools down and after it came back.
const PACE: Duration = Duration::from_millis(100);
/// While it rests.
const SLOW_PACE: Duration = Duration::from_millis(250);
/// For the requests that are open at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// What the script needs.
pub(crate) struct Script {
    /// Where clients are served.
    pub(crate) clients: SocketAddr,
    /// Their key.
    pub(crate) key: String,
    /// Names of the groups.
    pub(crate) groups: Vec<String>,
    /// What is known about the keys, as it changes.
    pub(crate) rows: watch::Receiver<Vec<Row>>,
}

/// What happened.
pub(crate) struct Story {
    answered: usize,
    key: String,
    rested: Duration,
}

impl std::fmt::Display for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} requests answered, none failed; {} cooled down for {} s, came back and served again",
            self.answered,
            self.key,
            self.rested.as_secs_f64().round()
        )
    }
}

/// Why there is no story.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OnceError {
    /// Nothing to send to.
    #[error("no group can be served; its condition Accepted says what to change")]
    NoGroup,
    /// A client would have seen an error.
    #[error("{failed} of {sent} requests failed; the first: {first}")]
    Failed {
        /// How many failed.
        failed: usize,
        /// How many were sent.
        sent: usize,
        /// What the first one got.
        first: String,
    },
    /// It did not happen.
    #[error("{what} within {} s ({sent} requests were sent)", LIMIT.as_secs())]
    TooLong {
        /// What did not happen.
        what: String,
        /// How many were sent.
        sent: usize,
    },
}

/// How far it has come.
enum Stage {
    /// No key has cooled down yet.
    Before,
    /// One rests.
    Resting { key: Row, since: Instant },
    /// It is back.
    Back { key: Row, rested: Duration },
}

/// Plays it.
///
/// # Errors
/// When a request failed, or the limit was reached.
pub(crate) async fn play(mut script: Script) -> Result<Story, OnceError> {
    if script.groups.is_empty() {
        return Err(OnceError::NoGroup);
    }
    let mut traffic = Traffic::default();
    let mut stage = Stage::Before;
    let end = Instant::now() + LIMIT;
    let mut next = Instant::now();
    loop {
        let rows = script.rows.borrow_and_update().clone();
        if let Some(later) = stage.next(&rows) {
            stage = later;
        }
        if traffic.failure.is_some() || stage.served_again(&rows) || Instant::now() >= end {
            break;
        }
        tokio::select! {
            () = sleep_until(next) => {
                traffic.send(&script);
                next = Instant::now() + stage.pace();
            }
            Some(outcome) = traffic.open.join_next() => traffic.take(outcome),
            changed = script.rows.changed() => if changed.is_err() { break },
        }
    }
    // Requests that are still open belong to the story.
    let end = Instant::now() + LAST_ANSWERS;
    while let Ok(Some(outcome)) = timeout_at(end, traffic.open.join_next()).await {
        traffic.take(outcome);
    }
    let served_again = stage.served_again(&script.rows.borrow());
    traffic.conclude(stage, served_again)
}

impl Stage {
    fn pace(&self) -> Duration {
        match self {
            Self::Before | Self::Back { .. } => PACE,
            Self::Resting { .. } => SLOW_PACE,
        }
    }

    /// The next stage, when the rows show it.
    fn next(&self, rows: &[Row]) -> Option<Self> {
        match self {
            Self::Before => {
                let key = rows.iter().find(|row| row.state == "CoolingDown")?.clone();
                Some(Self::Resting {
                    key,
                    since: Instant::now(),
                })
            }
            Self::Resting { key, since } => {
                let key = find(rows, key).filter(|row| row.state == "Healthy")?.clone();
                Some(Self::Back {
                    key,
                    rested: since.elapsed(),
                })
            }
            Self::Back { .. } => None,
        }
    }

    fn served_again(&self, rows: &[Row]) -> bool {
        match self {
            Self::Back { key, .. } => find(rows, key).is_some_and(|row| row.requests > key.requests),
            Self::Before | Self::Resting { .. } => false,
        }
    }
}

fn find<'a>(rows: &'a [Row], key: &Row) -> Option<&'a Row> {
    rows.iter()
        .find(|row| row.group == key.group && row.member == key.member && row.key == key.key)
}

fn named(key: &Row) -> String {
    format!("key {} of member {}", key.key, key.member)
}

#[derive(Default)]
struct Traffic {
    open: JoinSet<Result<(), String>>,
    sent: usize,
    answered: usize,
    failed: usize,
    failure: Option<String>,
}

impl Traffic {
    fn send(&mut self, script: &Script) {
        let Some(group) = script.groups.get(self.sent % script.groups.len()) else {
            return;
        };
        let streamed = (self.sent / script.groups.len()) % 2 == 1;
        self.sent += 1;
        self.open.spawn(request(
            script.clients,
            group.clone(),
            script.key.clone(),
            streamed,
        ));
    }

    fn take(&mut self, outcome: Result<Result<(), String>, JoinError>) {
        match outcome.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(()) => self.answered += 1,
            Err(why) => {
                self.failed += 1;
                self.failure.get_or_insert(why);
            }
        }
    }

    fn conclude(self, stage: Stage, served_again: bool) -> Result<Story, OnceError> {
        let sent = self.sent;
        let too_long = |what: String| Err(OnceError::TooLong { what, sent });
        if let Some(first) = self.failure {
            return Err(OnceError::Failed {
                failed: self.failed,
                sent,
                first,
            });
        }
        match stage {
            Stage::Before => too_long("no key cooled down".into()),
            Stage::Resting { key, .. } => {
                too_long(format!("{} cooled down and did not come back", named(&key)))
            }
            Stage::Back { key, rested } if served_again => Ok(Story {
                answered: self.answered,
                key: named(&key),
                rested,
            }),
            Stage::Back { key, .. } => too_long(format!("{} came back and answered no request", named(&key))),
        }
    }
}

async fn request(clients: SocketAddr, group: String, key: String, streamed: bool) -> Result<(), String> {
    let body = json!({
        "model": group,
        "stream": streamed,
        "messages": [{"role": "user", "content": "hello"}],
    });
    let path = format!("/g/{group}/v1/chat/completions");
    let answer = http::post(clients, &path, &key, body.to_string())
        .await
        .map_err(|error| told(&error))?;
    let body = String::from_utf8_lossy(&answer.body);
    if answer.status != StatusCode::OK {
        let error: Value = serde_json::from_str(&body).unwrap_or_default();
        let message = error
            .pointer("/error/message")
            .and_then(Value::as_str)
            .unwrap_or("no message");
        return Err(format!("{} from group {group}: {message}", answer.status));
    }
    if streamed && !body.trim_end().ends_with("data: [DONE]") {
        return Err(format!("a stream of group {group} ended without its last event"));
    }
    Ok(())
}

fn told(error: &HttpError) -> String {
    use std::error::Error;
    let cause = error
        .source()
        .map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{error}{cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &'static str, requests: u64) -> Row {
        Row {
            group: "chat".into(),
            member: "a".into(),
            key: "k".into(),
            state,
            requests,
            ..Row::default()
        }
    }

    #[test]
    fn a_key_that_comes_back_must_serve_again() {
        let stage = Stage::Before;
        assert!(stage.next(&[row("Healthy", 3)]).is_none());
        let stage = stage.next(&[row("CoolingDown", 3)]).unwrap();
        assert!(stage.next(&[row("CoolingDown", 4)]).is_none());
        let other = Row {
            key: "other".into(),
            ..row("Healthy", 9)
        };
        assert!(stage.next(&[other]).is_none(), "another key says nothing");
        let stage = stage.next(&[row("Healthy", 4)]).unwrap();
        assert!(!stage.served_again(&[row("Healthy", 4)]));
        assert!(stage.served_again(&[row("Healthy", 5)]));
    }

    #[test]
    fn what_did_not_happen_is_named() {
        let conclude = |stage| {
            Traffic::default()
                .conclude(stage, false)
                .err()
                .unwrap()
                .to_string()
        };
        assert_eq!(
            conclude(Stage::Before),
            "no key cooled down within 60 s (0 requests were sent)"
        );
        let resting = Stage::Resting {
            key: row("CoolingDown", 0),
            since: Instant::now(),
        };
        assert!(conclude(resting).starts_with("key k of member a cooled down and did not come back"));
        let failed = Traffic {
            sent: 9,
            failed: 2,
            failure: Some("503".into()),
            ..Traffic::default()
        };
        let error = failed.conclude(Stage::Before, false).err().unwrap().to_string();
        assert_eq!(error, "2 of 9 requests failed; the first: 503");
    }
}

//! Requests per key, read from the proxy's metrics: the same numbers that a dashboard shows.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;

use super::http;
use super::world::Row;

const EVERY: Duration = Duration::from_millis(500);
const SERIES: &str = "keypool_attempts_total{";
/// Ends of an attempt after which its answer is what the client got. All others went on to another key, or nowhere.
const ANSWERED: [&str; 3] = ["success", "client", "stream"];

/// Answered requests by group, member and credential.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts(HashMap<(String, String, String), u64>);

impl Counts {
    /// Puts the numbers into the rows.
    pub(crate) fn fill(&self, rows: &mut [Row]) {
        for row in rows {
            let place = (row.group.clone(), row.member.clone(), row.key.clone());
            row.requests = self.0.get(&place).copied().unwrap_or_default();
        }
    }

    fn read(metrics: &str) -> Self {
        let mut counts = HashMap::new();
        for line in metrics.lines() {
            let Some((labels, value)) = line.strip_prefix(SERIES).and_then(|rest| rest.rsplit_once("} "))
            else {
                continue;
            };
            let labels = self::labels(labels);
            let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
            if !ANSWERED.contains(&label("outcome").as_str()) {
                continue;
            }
            let place = (label("group"), label("member"), label("credential"));
            *counts.entry(place).or_default() += value.parse::<u64>().unwrap_or_default();
        }
        Self(counts)
    }
}

/// Labels of a series: `name="value",…`, the value with escapes.
fn labels(text: &str) -> HashMap<String, String> {
    let mut labels = HashMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.char_indices();
        let mut end = after.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, escaped)) => value.push(escaped),
                    None => {}
                },
                other => value.push(other),
            }
        }
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        rest = after.get(end..).unwrap_or_default();
    }
    labels
}

/// Reads the metrics again and again, for as long as somebody wants them.
pub(crate) async fn follow(metrics: SocketAddr, counts: watch::Sender<Counts>) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = counts.closed() => return,
        }
        // It is this process that answers; a miss is made good by the next look.
        if let Ok(answer) = http::get(metrics, "/metrics").await {
            let new = Counts::read(&String::from_utf8_lossy(&answer.body));
            counts.send_if_modified(|old| {
                let changed = *old != new;
                *old = new;
                changed
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answered_attempts_count() {
        let counts = Counts::read(
            "# TYPE keypool_attempts counter\n\
             keypool_attempts_total{group=\"chat\",member=\"a\",credential=\"k\",outcome=\"success\"} 40\n\
             keypool_attempts_total{group=\"chat\",member=\"a\",credential=\"k\",outcome=\"client\"} 2\n\
             keypool_attempts_total{group=\"chat\",member=\"a\",credential=\"k\",outcome=\"rate\"} 9\n\
             keypool_attempts_total{group=\"chat\",member=\"b \\\"x\\\\\",credential=\"k\",outcome=\"success\"} 1\n\
             keypool_requests_total{group=\"chat\",operation=\"models\",status=\"200\"} 7\n",
        );
        let mut rows = ["a", "b \"x\\", "c"].map(|member| Row {
            group: "chat".into(),
            member: member.into(),
            key: "k".into(),
            ..Row::default()
        });
        counts.fill(&mut rows);
        assert_eq!(rows.map(|row| row.requests), [42, 1, 0]);
    }
}

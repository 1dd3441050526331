//! Names to addresses.
//!
//! A resolver that fails does not take a provider down whose address was good a moment ago: the last good addresses
//! serve for ten minutes more. A fresh answer serves a few connections, and one connection asks for all, so that a burst of them is not a
//! burst of look-ups: each holds a thread, for longer than anybody waits for it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::error::UpstreamError;

/// How long a look-up may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer, or that there was none, serves without asking again.
const FRESH: Duration = Duration::from_secs(2);
/// How long an answer serves while the resolver fails.
const LAST_GOOD: Duration = Duration::from_secs(600);

/// Stands in for DNS: connections to this host and port go to this address. Written as curl's `--resolve` is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Override {
    host: Box<str>,
    port: u16,
    addresses: Vec<IpAddr>,
}

/// A text is not `HOST:PORT:ADDRESS`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not of the form HOST:PORT:ADDRESS[,ADDRESS]")]
pub struct InvalidOverride;

impl FromStr for Override {
    type Err = InvalidOverride;

    fn from_str(text: &str) -> Result<Self, InvalidOverride> {
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(addresses)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidOverride);
        };
        let port: u16 = port.parse().map_err(|_| InvalidOverride)?;
        if host.is_empty() || port == 0 {
            return Err(InvalidOverride);
        }
        let addresses = addresses
            .split(',')
            .map(|address| address.trim_start_matches('[').trim_end_matches(']').parse())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| InvalidOverride)?;
        Ok(Self {
            host: host.to_ascii_lowercase().into(),
            port,
            addresses,
        })
    }
}

/// Resolves names, with memory.
pub(super) struct Resolver {
    overrides: Vec<Override>,
    names: Mutex<Names>,
}

/// By host and port.
type Names = HashMap<(Box<str>, u16), Arc<Name>>;

/// What is known of a name.
#[derive(Default)]
struct Name {
    known: Mutex<Known>,
    /// Held by the connection that asks for all.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    good: Option<(Arc<[SocketAddr]>, Instant)>,
    failed: Option<Instant>,
}

impl Known {
    /// What serves without asking.
    fn fresh(&self) -> Option<Result<Arc<[SocketAddr]>, UpstreamError>> {
        if let Some(addresses) = self.good_within(FRESH) {
            return Some(Ok(addresses));
        }
        let failed = self.failed.is_some_and(|at| at.elapsed() < FRESH);
        failed.then(|| self.last_good())
    }

    fn last_good(&self) -> Result<Arc<[SocketAddr]>, UpstreamError> {
        self.good_within(LAST_GOOD).ok_or(UpstreamError::DnsFailed)
    }

    fn good_within(&self, age: Duration) -> Option<Arc<[SocketAddr]>> {
        let (addresses, at) = self.good.as_ref()?;
        (at.elapsed() < age).then(|| addresses.clone())
    }
}

impl Resolver {
    pub(super) fn new(overrides: Vec<Override>) -> Self {
        Self {
            overrides,
            names: Mutex::default(),
        }
    }

    /// The addresses of a host in the order in which to try them; never empty.
    pub(super) async fn resolve(&self, host: &str, port: u16) -> Result<Arc<[SocketAddr]>, UpstreamError> {
        if let Some(found) = self.overrides.iter().find(|o| &*o.host == host && o.port == port) {
            return Ok(found
                .addresses
                .iter()
                .map(|ip| SocketAddr::new(*ip, port))
                .collect());
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok([SocketAddr::new(address, port)].into());
        }
        let name = self.names.lock().entry((host.into(), port)).or_default().clone();
        if let Some(fresh) = name.known.lock().fresh() {
            return fresh;
        }
        let _turn = match name.asking.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                let last_good = name.known.lock().last_good();
                if last_good.is_ok() {
                    return last_good;
                }
                name.asking.lock().await
            }
        };
        // Another one's answer, if it was waited for.
        if let Some(fresh) = name.known.lock().fresh() {
            return fresh;
        }
        let found = tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((host, port))).await;
        let addresses: Arc<[SocketAddr]> = match found {
            Ok(Ok(addresses)) => by_turns(addresses.collect()).into(),
            _ => Arc::from([]),
        };
        let mut known = name.known.lock();
        if addresses.is_empty() {
            known.failed = Some(Instant::now());
            return known.last_good();
        }
        known.good = Some((addresses.clone(), Instant::now()));
        Ok(addresses)
    }
}

/// Families by turns, the resolver's first choice first: one that does not work costs one attempt, not all of them.
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut ours, mut others): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    ours.reverse();
    others.reverse();
    let mut turns = Vec::with_capacity(ours.len() + others.len());
    while !ours.is_empty() || !others.is_empty() {
        turns.extend(ours.pop());
        turns.extend(others.pop());
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_written_as_curls() {
        let parsed: Override = "API.example:443:127.0.0.1,[::1]".parse().unwrap();
        assert_eq!(
            (&*parsed.host, parsed.port, parsed.addresses.len()),
            ("api.example", 443, 2)
        );
        for text in [
            "",
            "a",
            "a:1",
            "a:1:",
            "a:x:127.0.0.1",
            "a:0:127.0.0.1",
            ":1:127.0.0.1",
            "a:1:localhost",
        ] {
            assert_eq!(text.parse::<Override>(), Err(InvalidOverride), "{text}");
        }
    }

    #[tokio::test]
    async fn overrides_and_literals_ask_no_resolver() {
        let resolver = Resolver::new(vec!["api.example:443:10.0.0.7".parse().unwrap()]);
        let of = |address: &str| Arc::from([address.parse::<SocketAddr>().unwrap()]);
        assert_eq!(resolver.resolve("api.example", 443).await, Ok(of("10.0.0.7:443")));
        assert_eq!(resolver.resolve("10.0.0.8", 80).await, Ok(of("10.0.0.8:80")));
        assert_eq!(resolver.resolve("::1", 80).await, Ok(of("[::1]:80")));
    }

    /// What is known of a name that no resolver knows.
    fn knowing(known: Known) -> (Resolver, Arc<Name>) {
        let resolver = Resolver::new(Vec::new());
        let name = Arc::new(Name {
            known: Mutex::new(known),
            ..Name::default()
        });
        let key = (Box::from("no-such-name.invalid"), 80);
        resolver.names.lock().insert(key, name.clone());
        (resolver, name)
    }

    fn ago(age: Duration) -> Instant {
        Instant::now().checked_sub(age).unwrap()
    }

    #[tokio::test]
    async fn a_failing_resolver_leaves_the_last_good_addresses_for_a_while() {
        let addresses: Arc<[SocketAddr]> = Arc::from(["10.0.0.9:80".parse().unwrap()]);
        let failed = || Err(UpstreamError::DnsFailed);
        for (good, expected) in [
            (None, failed()),
            (Some(LAST_GOOD - Duration::from_secs(9)), Ok(addresses.clone())),
            (Some(LAST_GOOD), failed()),
        ] {
            let (resolver, name) = knowing(Known {
                good: good.map(|age| (addresses.clone(), ago(age))),
                failed: Some(ago(FRESH)),
            });
            assert_eq!(resolver.resolve("no-such-name.invalid", 80).await, expected);
            let failed = name.known.lock().failed;
            assert!(failed.unwrap().elapsed() < FRESH, "it was asked again");
            assert_eq!(resolver.resolve("no-such-name.invalid", 80).await, expected);
            assert_eq!(name.known.lock().failed, failed, "not asked again at once");
        }
    }

    #[tokio::test]
    async fn one_asks_for_all() {
        let addresses: Arc<[SocketAddr]> = Arc::from(["10.0.0.9:80".parse().unwrap()]);
        let (resolver, name) = knowing(Known {
            good: Some((addresses.clone(), ago(FRESH))),
            failed: None,
        });
        let turn = name.asking.lock().await;
        assert_eq!(
            resolver.resolve("no-such-name.invalid", 80).await,
            Ok(addresses.clone())
        );
        assert_eq!(name.known.lock().failed, None, "nobody was asked");
        // Without an address, the others wait for the answer.
        let (resolver, other) = knowing(Known::default());
        let turn_of_other = other.asking.lock().await;
        let mut waits = std::pin::pin!(resolver.resolve("no-such-name.invalid", 80));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        other.known.lock().good = Some((addresses.clone(), Instant::now()));
        drop((turn, turn_of_other));
        assert_eq!(waits.await, Ok(addresses));
    }

    #[test]
    fn families_take_turns() {
        let list = |texts: &[&str]| {
            texts
                .iter()
                .map(|t| t.parse().unwrap())
                .collect::<Vec<SocketAddr>>()
        };
        assert_eq!(
            by_turns(list(&["[::1]:1", "[::2]:1", "1.1.1.1:1"])),
            list(&["[::1]:1", "1.1.1.1:1", "[::2]:1"])
        );
        assert_eq!(
            by_turns(list(&["1.1.1.1:1", "2.2.2.2:1"])),
            list(&["1.1.1.1:1", "2.2.2.2:1"])
        );
    }
}

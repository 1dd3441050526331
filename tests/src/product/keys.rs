//! Keys that occur nowhere else, so that the canary scan can look for them.

use std::sync::{Mutex, PoisonError};

use rand::Rng as _;
use rand::distr::Alphanumeric;

use crate::canary::Scan;

/// Random keys by name. A name that was given two values knows both: the scan
/// looks for the old one too.
#[derive(Debug, Default)]
pub struct Keys {
    known: Mutex<Vec<(String, String)>>,
}

impl Keys {
    /// A new value for `name`, of the shape that OpenAI's project keys have.
    pub fn fresh(&self, name: &str) -> String {
        let random = rand::rng().sample_iter(Alphanumeric).take(40).map(char::from);
        let value = format!("sk-proj-{}", random.collect::<String>());
        self.keep(name, &value);
        value
    }

    /// Lets the scan look for a value that was made elsewhere.
    pub fn keep(&self, name: &str, value: &str) {
        self.lock().push((name.to_owned(), value.to_owned()));
    }

    /// The latest value of `name`; empty for a name that was never given one.
    pub fn value(&self, name: &str) -> String {
        let known = self.lock();
        let last = known.iter().rev().find(|(known, _)| known == name);
        last.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// A scan for all values that were ever made.
    pub fn scan(&self) -> Scan {
        let known = self.lock();
        Scan::new(known.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, String)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_value_is_still_looked_for() {
        let keys = Keys::default();
        let old = keys.fresh("team-a");
        let new = keys.fresh("team-a");
        assert_ne!(old, new);
        assert_eq!(keys.value("team-a"), new);
        let mut scan = keys.scan();
        scan.look("a log", format!("it was {old}"));
        assert_eq!(scan.leaks().first().map(|leak| leak.key.as_str()), Some("team-a"));
    }
}

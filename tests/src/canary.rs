//! The canary scan: looks for known key bytes where no key may be.
//!
//! Tests give keys that occur nowhere else and, at their end, scan all text
//! the product let out: logs, status, events, metrics, admin answers, client
//! bodies. A key in another dress is a leak too, and so is the part of it
//! that is enough to find it by: see `canary/dresses.rs`.

mod dresses;
mod search;

use std::path::Path;

use search::Search;

/// A leak: which key (by its label), dressed how, where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    pub key: String,
    pub form: &'static str,
    pub place: String,
    pub offset: usize,
}

impl std::fmt::Display for Leak {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "key {} as {} in {} at byte {}",
            self.key, self.form, self.place, self.offset
        )
    }
}

/// Searches for a set of keys and collects what it finds.
#[derive(Debug, Default)]
pub struct Scan {
    searches: Vec<Search>,
    leaks: Vec<Leak>,
    bytes: usize,
}

impl Scan {
    /// `keys` are pairs of a label that may be shown and the key.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let keys = keys.into_iter().filter(|(_, key)| !key.is_empty());
        let dressed = keys.flat_map(|(label, key)| {
            let dresses = dresses::of(key).into_iter();
            dresses.map(move |dress| (label.to_owned(), dress))
        });
        let (any, exact): (Vec<_>, Vec<_>) = dressed.partition(|(_, dress)| dress.any_case);
        Self {
            searches: vec![Search::new(exact, false), Search::new(any, true)],
            ..Self::default()
        }
    }

    /// Searches `content`; `place` says where it is from.
    pub fn look(&mut self, place: &str, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        if !self.searches.iter().all(Search::works) {
            return;
        }
        self.bytes += content.len();
        for search in &self.searches {
            self.leaks.extend(search.find(content).map(|found| Leak {
                key: found.key.to_owned(),
                form: found.form,
                place: place.to_owned(),
                offset: found.offset,
            }));
        }
    }

    /// Searches all files under a directory.
    pub fn look_in(&mut self, directory: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            match path.is_dir() {
                true => self.look_in(&path)?,
                false => self.look(&path.display().to_string(), std::fs::read(&path)?),
            }
        }
        Ok(())
    }

    pub fn leaks(&self) -> &[Leak] {
        &self.leaks
    }

    /// `Err` names every leak. So does a scan of nothing: it shows nothing.
    pub fn finish(self) -> Result<usize, Found> {
        if self.leaks.is_empty() && self.bytes > 0 {
            Ok(self.bytes)
        } else {
            Err(Found(self.leaks))
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{}", if .0.is_empty() { "the canary scan was given nothing to look at".to_owned() } else { lines(.0) })]
pub struct Found(pub Vec<Leak>);

fn lines(leaks: &[Leak]) -> String {
    leaks
        .iter()
        .map(|leak| format!("leaked: {leak}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
#[path = "canary/self_test.rs"]
mod self_test;

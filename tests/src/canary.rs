//! The canary scan: looks for known key bytes where no key may be.
//!
//! Tests give keys that occur nowhere else and, at their end, scan all text
//! the product let out: logs, status, events, metrics, admin answers, client
//! bodies. A key in another dress is a leak too, and so is the part of it
//! that is enough to find it by: see `canary/dresses.rs`.

mod dresses;

use std::path::Path;

use dresses::Dress;

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
    needles: Vec<(String, Dress)>,
    leaks: Vec<Leak>,
    bytes: usize,
}

impl Scan {
    /// `keys` are pairs of a label that may be shown and the key.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut scan = Self::default();
        for (label, key) in keys.into_iter().filter(|(_, key)| !key.is_empty()) {
            scan.needles.extend(
                dresses::of(key)
                    .into_iter()
                    .map(|dress| (label.to_owned(), dress)),
            );
        }
        scan
    }

    /// Searches `content`; `place` says where it is from.
    pub fn look(&mut self, place: &str, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        let lower = content.to_ascii_lowercase();
        self.bytes += content.len();
        for (key, dress) in &self.needles {
            if let Some(offset) = dress.find(content, &lower) {
                let (key, form, place) = (key.clone(), dress.form, place.to_owned());
                self.leaks.push(Leak {
                    key,
                    form,
                    place,
                    offset,
                });
            }
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

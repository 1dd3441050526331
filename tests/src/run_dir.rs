//! The directory of one run: logs, certificates, etcd's data.
//!
//! It is kept when something failed and removed otherwise. Directories of
//! runs that were killed are removed by the next run once they are a day old.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, thiserror::Error)]
#[error("cannot make {}: {source}", path.display())]
pub struct Error {
    path: PathBuf,
    source: std::io::Error,
}

#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// A new directory; `name` tells people which run it was.
    pub fn create(name: &str) -> Result<Self, Error> {
        let parent = parent();
        remove_old(&parent);
        let failed = |source| Error {
            path: parent.clone(),
            source,
        };
        std::fs::create_dir_all(&parent).map_err(failed)?;
        let path = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir_in(&parent)
            .map_err(failed)?
            .keep();
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A directory inside, made if it is not there.
    pub fn sub(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        std::fs::create_dir_all(&path).map_err(|source| Error {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    pub fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn parent() -> PathBuf {
    std::env::temp_dir().join("keypool-tests")
}

fn remove_old(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let age = entry
            .metadata()
            .and_then(|data| data.modified())
            .map(|time| SystemTime::now().duration_since(time));
        if matches!(age, Ok(Ok(age)) if age > KEEP) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

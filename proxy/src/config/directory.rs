//! The mounted Secret.
//!
//! The kubelet replaces a volume's files at once by pointing the link `..data` at another directory. So the link is looked
//! at, never a file: whoever reads files while they change sees a mixture. A directory without that link (a developer's)
//! is told apart by the document's own identity.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keypool_contract::Encoded;
use keypool_contract::limits::{DOCUMENT_FILE, MAX_DOCUMENT_BYTES};

/// How often the link is looked at.
pub(super) const INTERVAL: Duration = Duration::from_millis(250);

/// A mounted directory.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

/// What stands in the directory now, for comparing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// Where `..data` points.
    Link(PathBuf),
    /// Inode, size and time of the document's file.
    File(u64, u64, i64, i64),
    /// Neither.
    Nothing,
}

impl Directory {
    /// Names a directory; nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn seen(&self) -> Seen {
        if let Ok(target) = fs::read_link(self.0.join("..data")) {
            return Seen::Link(target);
        }
        match fs::metadata(self.0.join(DOCUMENT_FILE)) {
            Ok(file) => Seen::File(file.ino(), file.size(), file.mtime(), file.mtime_nsec()),
            Err(_) => Seen::Nothing,
        }
    }

    /// Reads the document's bytes.
    pub(super) fn document(&self) -> io::Result<Encoded> {
        let path = self.0.join(DOCUMENT_FILE);
        // One byte more than allowed is enough to be refused as too large; a huge file is not read into memory.
        let mut bytes =
            Vec::with_capacity(fs::metadata(&path)?.len().min(MAX_DOCUMENT_BYTES as u64 + 1) as usize);
        io::Read::read_to_end(
            &mut io::Read::take(fs::File::open(&path)?, MAX_DOCUMENT_BYTES as u64 + 1),
            &mut bytes,
        )?;
        Ok(Encoded::from_bytes(bytes))
    }
}

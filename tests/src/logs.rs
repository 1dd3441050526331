//! The ends of component logs, for a failure's message.

use std::fmt::Write as _;
use std::path::Path;

/// The last `lines` lines of a log; a log that cannot be read says so.
pub fn tail(path: &Path, lines: usize) -> String {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("(cannot be read: {error})"),
    }
}

/// The ends of all logs in a directory, each under its path.
pub fn tails(directory: &Path, lines: usize) -> String {
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    paths.retain(|path| path.extension().is_some_and(|end| end == "log"));
    paths.sort();
    let mut text = String::new();
    for path in paths {
        let _ = writeln!(text, "--- {}\n{}", path.display(), tail(&path, lines));
    }
    text
}

//! Which files are read, and whether one of them changed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Problem;

const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// The files that the paths mean, in order and each once.
pub(super) fn manifests(paths: &[PathBuf], problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        match meant(path) {
            Ok(found) => files.extend(found),
            Err(source) => problems.push(Problem::Read {
                path: path.clone(),
                source,
            }),
        }
    }
    let mut once = Vec::new();
    for file in files {
        if !once.contains(&file) {
            once.push(file);
        }
    }
    once
}

/// A file that is named is read whatever its ending.
fn meant(path: &Path) -> io::Result<Vec<PathBuf>> {
    if fs::metadata(path)?.is_file() {
        return Ok(vec![path.into()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if is_manifest(&path) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file of a directory counts, by its name.
fn is_manifest(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    // Editors keep their own files beside: `.group.yaml.swp`, `.#group.yaml`.
    let hidden = path
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'));
    ending.is_some_and(|ending| ENDINGS.contains(&ending)) && !hidden
}

/// Whether a file that is yet to be written would be read as a manifest.
pub(crate) fn would_read(paths: &[PathBuf], file: &Path) -> bool {
    let directory = match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return false,
    };
    let same = |one: &Path, other: &Path| match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    };
    paths
        .iter()
        .any(|path| same(path, file) || (is_manifest(file) && same(path, directory)))
}

/// What the files looked like, for comparing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Seen(Vec<(PathBuf, Option<Stamp>)>);

/// Device, inode, size and time of change of a file.
type Stamp = (u64, u64, u64, i64, i64);

impl Seen {
    /// Looks at them. What cannot be looked at is part of the picture.
    pub(crate) fn look(paths: &[PathBuf]) -> Self {
        let stamp = |path: PathBuf| {
            let stamp = fs::metadata(&path).ok();
            let stamp = stamp.map(|file| {
                (
                    file.dev(),
                    file.ino(),
                    file.size(),
                    file.mtime(),
                    file.mtime_nsec(),
                )
            });
            (path, stamp)
        };
        let files = paths
            .iter()
            .flat_map(|path| meant(path).unwrap_or_else(|_| vec![path.clone()]));
        Self(files.map(stamp).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[PathBuf]) -> Vec<String> {
        files
            .iter()
            .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn manifests_of_a_directory_are_read_in_order_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "b.yaml",
            "a.yml",
            "c.json",
            "README.md",
            ".a.yaml.swp",
            ".#a.yaml",
            "d.yaml~",
        ] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        fs::create_dir(directory.path().join("e.yaml")).unwrap();
        let paths = [
            directory.path().to_owned(),
            directory.path().join("b.yaml"),
            directory.path().join("README.md"),
        ];
        let mut problems = Vec::new();
        assert_eq!(
            names(&manifests(&paths, &mut problems)),
            ["a.yml", "b.yaml", "c.json", "README.md"]
        );
        assert!(problems.is_empty());
        manifests(&[directory.path().join("gone")], &mut problems);
        assert!(
            problems[0].to_string().ends_with("gone: is not there"),
            "{}",
            problems[0]
        );
    }

    #[test]
    fn what_is_written_among_manifests_would_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        fs::create_dir(file("below")).unwrap();
        fs::write(file("named.txt"), "").unwrap();
        let paths = [directory.path().join("below/.."), file("named.txt")];
        for (name, read) in [
            ("status.yaml", true),
            ("log.json", true),
            ("named.txt", true),
            ("status.txt", false),
            (".status.yaml", false),
            ("below/status.yaml", false),
            ("nowhere/status.yaml", false),
        ] {
            assert_eq!(would_read(&paths, &file(name)), read, "{name}");
        }
        assert!(!would_read(&paths, Path::new("status.yaml")));
        assert!(would_read(&[PathBuf::from(".")], Path::new("status.yaml")));
    }

    #[test]
    fn every_change_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let paths = [directory.path().to_owned()];
        let file = directory.path().join("a.yaml");
        let mut pictures = vec![Seen::look(&paths)];
        fs::write(&file, "one").unwrap();
        pictures.push(Seen::look(&paths));
        fs::write(&file, "other").unwrap();
        pictures.push(Seen::look(&paths));
        // As editors write: a new file in the place of the old one.
        fs::write(directory.path().join("new"), "third").unwrap();
        fs::rename(directory.path().join("new"), &file).unwrap();
        pictures.push(Seen::look(&paths));
        for pair in pictures.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        assert_eq!(Seen::look(&paths), pictures[3]);
    }
}

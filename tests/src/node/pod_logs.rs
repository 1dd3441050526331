//! Every line that pods wrote, those that are gone included.
//!
//! A pod's logs go with the pod. A file that is open outlives its removal: each is opened as soon as it appears, and read when somebody asks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Sooner than any pod comes and goes.
const LOOK: Duration = Duration::from_millis(200);

/// By inode, which is nobody else's while the file is open: a log that is rotated has another name then.
type Open = Mutex<BTreeMap<u64, (PathBuf, File)>>;

/// The logs of all pods since the node began.
#[derive(Debug)]
pub struct PodLogs {
    directory: PathBuf,
    open: Arc<Open>,
}

impl PodLogs {
    /// Keeps what appears in the kubelet's directory of logs, until this is dropped.
    pub(super) fn keep(directory: PathBuf) -> Self {
        let open = Arc::new(Open::default());
        let (seen, place) = (Arc::downgrade(&open), directory.clone());
        std::thread::spawn(move || follow(&seen, &place));
        Self { directory, open }
    }

    /// What the pods of a namespace wrote, each file with its place.
    pub fn of(&self, namespace: &str) -> std::io::Result<Vec<(String, Vec<u8>)>> {
        look(&self.open, &self.directory);
        let begin = format!("{}/{namespace}_", self.directory.display());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let files = open
            .values_mut()
            .map(|(path, file)| (path.display().to_string(), file));
        let ours = files.filter(|(place, _)| place.starts_with(&begin));
        ours.map(|(place, file)| {
            let mut content = Vec::new();
            file.seek(SeekFrom::Start(0))?;
            file.read_to_end(&mut content)?;
            Ok((place, content))
        })
        .collect()
    }
}

fn follow(open: &Weak<Open>, directory: &Path) {
    while let Some(open) = open.upgrade() {
        look(&open, directory);
        drop(open);
        std::thread::sleep(LOOK);
    }
}

/// Opens what is new: `<namespace>_<pod>_<uid>/<container>/<number>.log`.
fn look(open: &Open, directory: &Path) {
    let logs = entries(directory)
        .flat_map(|pod| entries(&pod))
        .flat_map(|container| entries(&container));
    let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
    for path in logs {
        let Ok(inode) = std::fs::metadata(&path).map(|file| file.ino()) else {
            continue;
        };
        if let std::collections::btree_map::Entry::Vacant(place) = open.entry(inode)
            && let Ok(file) = File::open(&path)
        {
            place.insert((path, file));
        }
    }
}

/// What a directory holds; one that is gone holds nothing.
fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait;

    #[tokio::test]
    async fn what_a_pod_wrote_outlives_it() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let logs = PodLogs::keep(directory.path().to_owned());
        let of = |pod: &str| directory.path().join(pod).join("proxy");
        for (pod, text) in [("chat_a_1", "one"), ("chats_b_2", "other")] {
            std::fs::create_dir_all(of(pod))?;
            std::fs::write(of(pod).join("0.log"), text)?;
        }
        wait::until("both logs to be open", Duration::from_secs(10), || async {
            let open = logs.open.lock().unwrap_or_else(PoisonError::into_inner).len();
            if open == 2 { Ok(()) } else { Err(open) }
        })
        .await?;
        std::fs::rename(of("chat_a_1").join("0.log"), of("chat_a_1").join("0.log.old"))?;
        std::fs::write(of("chat_a_1").join("0.log"), "two")?;
        let kept: Vec<_> = logs.of("chat")?.into_iter().map(|(_, content)| content).collect();
        std::fs::remove_dir_all(directory.path().join("chat_a_1"))?;
        let mut later: Vec<_> = logs.of("chat")?.into_iter().map(|(_, content)| content).collect();
        later.sort();
        assert_eq!(later, [b"one", b"two"]);
        assert_eq!(kept.len(), 2);
        Ok(())
    }
}

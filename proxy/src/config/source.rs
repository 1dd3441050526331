//! Where mounted documents come from, and the task that follows them.

use std::sync::Arc;

use keypool_contract::Encoded;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::directory::{Directory, INTERVAL, Seen};
use super::intake::{Intake, Origin};

/// Where mounted documents come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A mounted Secret.
    Directory(Directory),
    /// The process that the proxy runs in.
    Channel(watch::Receiver<Option<Encoded>>),
}

impl Source {
    /// Takes in what is there already, so that a process that starts with a good document is ready at once.
    pub(crate) async fn begin(self, intake: Arc<Intake>, changed: watch::Sender<u64>) -> Following {
        let mut following = Following {
            source: self,
            intake,
            changed,
            seen: None,
            unread: false,
        };
        following.step().await;
        following
    }
}

/// A source that is followed.
pub(crate) struct Following {
    source: Source,
    intake: Arc<Intake>,
    /// Tells whoever else reads the directory that it changed.
    changed: watch::Sender<u64>,
    seen: Option<Seen>,
    /// What was seen last could not be read: a cause that passes must not cost the document.
    unread: bool,
}

impl Following {
    /// Follows the source for as long as the process lives.
    pub(crate) async fn follow(mut self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match &mut self.source {
                Source::Directory(_) => {
                    ticks.tick().await;
                }
                Source::Channel(documents) => {
                    if documents.changed().await.is_err() {
                        return;
                    }
                }
            }
            self.step().await;
        }
    }

    /// Offers what is new. Files are read and documents compiled where blocking is allowed.
    async fn step(&mut self) {
        let intake = self.intake.clone();
        match &mut self.source {
            Source::Directory(directory) => {
                let directory = directory.clone();
                let (before, unread) = (self.seen.clone(), self.unread);
                let look = move || {
                    let seen = directory.seen();
                    let new = before.as_ref() != Some(&seen);
                    if !new && !unread {
                        return (seen, new, unread);
                    }
                    let read = directory.document();
                    let unread = read.is_err();
                    match read {
                        Ok(document) => {
                            intake.offer(Origin::Mounted, &document);
                        }
                        Err(error) if new => intake.unreadable(error.kind()),
                        Err(_) => {}
                    }
                    (seen, new, unread)
                };
                if let Ok((seen, new, unread)) = tokio::task::spawn_blocking(look).await {
                    self.seen = Some(seen);
                    self.unread = unread;
                    if new {
                        self.changed.send_modify(|count| *count = count.wrapping_add(1));
                    }
                }
            }
            Source::Channel(documents) => {
                let document = documents.borrow_and_update().clone();
                if let Some(document) = document {
                    let offer = move || intake.offer(Origin::Mounted, &document);
                    // The only failure is a panic, which its own message tells; the next document is followed all the same.
                    let _ = tokio::task::spawn_blocking(offer).await;
                }
            }
        }
    }
}

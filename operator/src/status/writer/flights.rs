//! Writes that are under way: of different subjects side by side, of one subject one after the other.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;

use tokio::task::{Id, JoinSet};

/// How a write ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Landing {
    /// It is done, or nothing is left to write to.
    Done,
    /// It is to be tried again.
    Failed,
}

/// The writes that are under way. Whatever ends a task ends its flight, a panic too: a subject is under way just as long as its task is.
pub(super) struct Flights<S> {
    tasks: JoinSet<Landing>,
    subjects: HashMap<Id, S>,
    /// Whether the subject has been asked for meanwhile.
    asked: HashMap<S, bool>,
}

/// A write that has ended.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Landed<S> {
    /// Of what.
    pub(super) subject: S,
    /// How.
    pub(super) landing: Landing,
    /// Whether the subject has been asked for meanwhile.
    pub(super) asked: bool,
}

impl<S> Default for Flights<S> {
    fn default() -> Self {
        Self {
            tasks: JoinSet::new(),
            subjects: HashMap::new(),
            asked: HashMap::new(),
        }
    }
}

impl<S: Clone + Eq + Hash> Flights<S> {
    /// Whether a subject is under way; then it is told at its landing that it has been asked for.
    pub(super) fn ask(&mut self, subject: &S) -> bool {
        self.asked.get_mut(subject).map(|asked| *asked = true).is_some()
    }

    /// Begins a write. Its subject must not be under way.
    pub(super) fn start(&mut self, subject: S, write: impl Future<Output = Landing> + Send + 'static) {
        let task = self.tasks.spawn(write);
        self.asked.insert(subject.clone(), false);
        self.subjects.insert(task.id(), subject);
    }

    /// Waits for the next landing; none when nothing is under way. Nothing is lost when this is dropped before its end.
    pub(super) async fn landed(&mut self) -> Option<Landed<S>> {
        loop {
            let (task, landing) = match self.tasks.join_next_with_id().await? {
                Ok((task, landing)) => (task, landing),
                Err(error) => {
                    tracing::error!(%error, "a status write ended by a panic");
                    (error.id(), Landing::Failed)
                }
            };
            if let Some(subject) = self.subjects.remove(&task) {
                let asked = self.asked.remove(&subject).unwrap_or_default();
                return Some(Landed {
                    subject,
                    landing,
                    asked,
                });
            }
        }
    }

    /// Waits until nothing is under way.
    pub(super) async fn all_landed(&mut self) {
        while self.landed().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn landed(landing: Landing, asked: bool) -> Option<Landed<&'static str>> {
        Some(Landed {
            subject: "a",
            landing,
            asked,
        })
    }

    #[tokio::test]
    async fn a_subject_is_under_way_until_its_task_ends_however_that_ends() {
        let mut flights = Flights::default();
        flights.start("a", async { Landing::Done });
        assert!(!flights.ask(&"b"));
        assert_eq!(flights.landed().await, landed(Landing::Done, false));
        assert!(!flights.ask(&"a"));

        flights.start("a", async { panic!("in the midst of a write") });
        assert!(flights.ask(&"a"));
        assert_eq!(flights.landed().await, landed(Landing::Failed, true));
        assert!(!flights.ask(&"a"), "a panic leaves nothing under way");

        assert_eq!(flights.landed().await, None);
        assert!(flights.asked.is_empty() && flights.subjects.is_empty());
    }

    #[tokio::test]
    async fn one_lands_beside_another_that_is_still_under_way() {
        let mut flights = Flights::default();
        let (land, held) = oneshot::channel::<()>();
        flights.start("b", async {
            let _ = held.await;
            Landing::Done
        });
        flights.start("a", async { Landing::Failed });
        assert_eq!(flights.landed().await, landed(Landing::Failed, false));
        assert!(flights.ask(&"b"));
        land.send(()).unwrap();
        flights.all_landed().await;
        assert!(!flights.ask(&"b"));
    }
}

//! Which pods have an exchange.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::desired::Desired;
use super::knowledge::Knowledge;
use super::pod::{Leader, PodAddress, PodExchange};
use crate::install::ObjectId;

/// One exchange per pod, for all fleets of the leader.
pub struct Roster {
    leader: Leader,
    knowledge: Arc<Knowledge>,
    fleets: Mutex<BTreeMap<ObjectId, Fleet>>,
}

#[derive(Default)]
struct Fleet {
    desired: watch::Sender<Option<Arc<Desired>>>,
    pods: HashMap<String, (PodAddress, JoinHandle<()>)>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.pods.values().for_each(|(_, task)| task.abort());
    }
}

impl Roster {
    /// Without any fleet.
    pub fn new(leader: Leader, knowledge: Arc<Knowledge>) -> Self {
        Self {
            leader,
            knowledge,
            fleets: Mutex::default(),
        }
    }

    /// What a fleet's pods should run from now on.
    pub fn desire(&self, group: &ObjectId, desired: Arc<Desired>) {
        let mut fleets = self.fleets.lock();
        let fleet = fleets.entry(group.clone()).or_default();
        // The same again is no news: it would end every poll that is held.
        fleet.desired.send_if_modified(|had| {
            let news = !had.as_ref().is_some_and(|had| had.is(&desired));
            *had = Some(desired);
            news
        });
    }

    /// What a fleet's pods should run; none before the first document was written.
    pub fn desired(&self, group: &ObjectId) -> Option<Arc<Desired>> {
        self.fleets.lock().get(group)?.desired.borrow().clone()
    }

    /// The pods of a fleet as they are now: new ones get an exchange, those that are gone or moved lose theirs.
    pub fn staff(&self, group: &ObjectId, pods: Vec<PodAddress>) {
        let mut fleets = self.fleets.lock();
        let fleet = fleets.entry(group.clone()).or_default();
        fleet.pods.retain(|_, (had, task)| {
            let stays = pods.contains(had);
            if !stays {
                task.abort();
            }
            stays
        });
        for pod in pods {
            if !fleet.pods.contains_key(&pod.uid) {
                let exchange = PodExchange {
                    pod: pod.clone(),
                    group: group.clone(),
                    leader: self.leader.clone(),
                    knowledge: Arc::clone(&self.knowledge),
                    desired: fleet.desired.subscribe(),
                };
                fleet
                    .pods
                    .insert(pod.uid.clone(), (pod, tokio::spawn(exchange.run())));
            }
        }
    }

    /// Ends the exchanges of a group that is gone.
    pub fn dismiss(&self, group: &ObjectId) {
        self.fleets.lock().remove(group);
    }

    /// Ends all exchanges; when it returns, none says anything any more.
    pub async fn close(&self) {
        let fleets = std::mem::take(&mut *self.fleets.lock());
        let tasks = |mut fleet: Fleet| std::mem::take(&mut fleet.pods).into_values();
        let tasks = fleets.into_values().flat_map(tasks).map(|(_, task)| task);
        let ending: Vec<_> = tasks.inspect(JoinHandle::abort).collect();
        for task in ending {
            // That it was ended is all that there is to know.
            let _ = task.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::mpsc;

    use super::*;
    use crate::clock::Clock;
    use crate::k8s::lease::Term;

    #[tokio::test]
    async fn a_closed_roster_has_no_exchange_any_more() {
        let (news, _) = mpsc::unbounded_channel();
        let knowledge = Arc::new(Knowledge::new(Clock::default(), news));
        let leader = Leader {
            identity: "me".into(),
            term: Term::new(1),
        };
        let roster = Roster::new(leader, Arc::clone(&knowledge));
        let nobody = Arc::strong_count(&knowledge);
        let pod = |name: &str| PodAddress {
            uid: name.into(),
            name: name.into(),
            ip: Ipv4Addr::LOCALHOST.into(),
        };
        let group = |name: &str| ObjectId {
            uid: name.into(),
            namespace: "team".into(),
            name: name.into(),
        };
        roster.staff(&group("a"), vec![pod("1"), pod("2")]);
        roster.staff(&group("b"), vec![pod("3")]);
        assert_eq!(Arc::strong_count(&knowledge), nobody + 3);
        roster.close().await;
        assert_eq!(Arc::strong_count(&knowledge), nobody);
    }
}

//! What the leader knows: the ledger of verdicts, every pod's last report, and whose first validations are.

use std::collections::{BTreeSet, HashMap};

use keypool_contract::exchange::{Acknowledgement, ExchangeResponse, FirstValidation};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::controller::load_balance_group::status::SILENT_AFTER;
use crate::install::ObjectId;
use crate::ledger::{Advisories, DocumentScope, Ledger};
use crate::moment::Monotonic;
use crate::naming::Naming;

/// What one pod said last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// Its process.
    pub instance: String,
    /// What it runs.
    pub acknowledgement: Acknowledgement,
    /// When it was last heard.
    pub heard: Monotonic,
}

/// What status has to look at again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum News {
    /// A pod of this group said something new about what it runs.
    Group(ObjectId),
    /// Something new is known about this provider.
    Provider(String),
}

/// What a pod should know.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Briefing {
    /// The others' verdicts.
    pub advisories: Advisories,
    /// The keys whose first validation is this pod's.
    pub first_validations: BTreeSet<FirstValidation>,
}

impl Briefing {
    /// Whether someone who was told `other` knows all of this already.
    pub fn known_from(&self, other: &Self) -> bool {
        self.advisories.known_from(&other.advisories) && self.first_validations == other.first_validations
    }
}

/// Shared by the exchanges, the reconcilers and the status.
pub struct Knowledge {
    /// The clock of all that is known.
    pub clock: Clock,
    ledger: Mutex<Ledger>,
    /// Locked after the ledger where both are.
    naming: Mutex<Naming>,
    reports: Mutex<HashMap<String, Report>>,
    running: Mutex<HashMap<String, Monotonic>>,
    version: watch::Sender<u64>,
    news: mpsc::UnboundedSender<News>,
}

impl Knowledge {
    /// Nothing known yet. News goes to `news`.
    pub fn new(clock: Clock, news: mpsc::UnboundedSender<News>) -> Self {
        Self {
            clock,
            ledger: Mutex::default(),
            naming: Mutex::default(),
            reports: Mutex::default(),
            running: Mutex::default(),
            version: watch::Sender::new(0),
            news,
        }
    }

    /// Looks into the ledger.
    pub fn ledger<R>(&self, look: impl FnOnce(&Ledger) -> R) -> R {
        look(&self.ledger.lock())
    }

    /// Changes the ledger by other means than a pod's answer, such as the stored status of a new leader.
    pub fn amend<R>(&self, change: impl FnOnce(&mut Ledger) -> R) -> R {
        let result = change(&mut self.ledger.lock());
        self.version.send_modify(|version| *version += 1);
        result
    }

    /// Changes whenever a pod's briefing may have changed.
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Takes in a pod's answer.
    pub fn receive(
        &self,
        group: &ObjectId,
        pod_uid: &str,
        scope: &DocumentScope,
        response: ExchangeResponse,
    ) {
        let now = self.clock.now();
        let received = self.ledger.lock().receive(scope, &response, now);
        if received.dropped > 0 {
            // Normal while a document has just been replaced: the pod still speaks of what the one before held.
            tracing::debug!(
                dropped = received.dropped,
                group = group.name,
                "verdicts about what is not in the pod's document"
            );
        }
        let ExchangeResponse {
            instance,
            acknowledgement,
            ..
        } = response;
        let report = Report {
            instance,
            acknowledgement,
            heard: now.monotonic,
        };
        let before = self.reports.lock().insert(pod_uid.to_owned(), report.clone());
        let restarted = before
            .as_ref()
            .filter(|before| before.instance != report.instance);
        let mut naming = self.naming.lock();
        naming.hear(&report.instance, now.monotonic);
        let freed = restarted.is_some_and(|before| naming.forget(&before.instance));
        drop(naming);
        let same = |before: &Report| {
            before.instance == report.instance && before.acknowledgement == report.acknowledgement
        };
        // Who was silent and speaks again may say the same as before: that it speaks is the news.
        let back = |before: &Report| now.monotonic.since(before.heard) >= SILENT_AFTER;
        if before.as_ref().is_none_or(back) {
            scope
                .providers()
                .for_each(|provider| self.tell(News::Provider(provider.clone())));
        }
        if before.as_ref().is_none_or(|before| back(before) || !same(before)) {
            self.tell(News::Group(group.clone()));
        }
        if freed || received.briefs {
            self.version.send_modify(|version| *version += 1);
        }
        received
            .changed
            .into_iter()
            .for_each(|provider| self.tell(News::Provider(provider)));
    }

    /// A pod's last report.
    pub fn report(&self, pod_uid: &str) -> Option<Report> {
        self.reports.lock().get(pod_uid).cloned()
    }

    /// Since when this leader has seen a pod run.
    pub fn running_since(&self, pod_uid: &str) -> Monotonic {
        *self
            .running
            .lock()
            .entry(pod_uid.to_owned())
            .or_insert_with(|| self.clock.now().monotonic)
    }

    /// What a pod should know. `runs` tells whether it runs the document that `scope` was read off.
    pub fn briefing(&self, instance: &str, scope: &DocumentScope, runs: bool) -> Briefing {
        let now = self.clock.now();
        let ledger = self.ledger.lock();
        let advisories = ledger.advisories_for(instance, scope, now);
        let unproven = ledger.unproven(scope, now.monotonic);
        let names = self
            .naming
            .lock()
            .names_for(instance, &unproven, runs, now.monotonic);
        drop(ledger);
        if names.taken {
            self.version.send_modify(|version| *version += 1);
        }
        Briefing {
            advisories,
            first_validations: names.keys,
        }
    }

    /// The sequence number to confirm to a pod's instance.
    pub fn confirmed(&self, instance: &str) -> u64 {
        self.ledger.lock().confirmed(instance)
    }

    /// Forgets pods that are gone. Their verdicts stay.
    pub fn keep_pods(&self, pod_uids: &BTreeSet<String>) {
        self.running.lock().retain(|uid, _| pod_uids.contains(uid));
        let mut reports = self.reports.lock();
        reports.retain(|uid, _| pod_uids.contains(uid));
        let live = reports.values().map(|report| report.instance.clone()).collect();
        drop(reports);
        self.ledger.lock().keep_instances(&live);
        if self.naming.lock().keep_instances(&live) {
            self.version.send_modify(|version| *version += 1);
        }
    }

    fn tell(&self, news: News) {
        // Nobody listens only while the process ends.
        let _ = self.news.send(news);
    }
}

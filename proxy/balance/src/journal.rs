//! Own findings in order, for readers that lag, and what the caller has to do.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::time::Time;
use crate::verdict::{Change, Finding, Report};

/// Reports kept one by one; a reader that lags further gets a snapshot.
const KEPT: usize = 4_096;
/// Changes kept for an owner that does not fetch them.
const PENDING: usize = 4_096;

/// Numbers findings and keeps them for a while.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    sequence: u64,
    reports: VecDeque<Report>,
    pending: Vec<Change>,
}

impl Journal {
    /// Numbers a finding.
    pub(crate) fn report(&mut self, provider: &Arc<str>, at: Time, finding: Finding) -> u64 {
        self.sequence += 1;
        let report = Report {
            sequence: self.sequence,
            provider: Arc::clone(provider),
            at,
            finding,
        };
        if self.reports.len() == KEPT {
            self.reports.pop_front();
        }
        self.reports.push_back(report.clone());
        self.push(Change::Learned(report));
        self.sequence
    }

    /// Asks for a validation call.
    pub(crate) fn ask(&mut self, provider: &Arc<str>, fingerprint: &Arc<str>) {
        self.push(Change::ConfirmNeeded {
            provider: Arc::clone(provider),
            fingerprint: Arc::clone(fingerprint),
        });
    }

    pub(crate) fn take(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.pending)
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Reports after a number; none when some of them are gone, or the number is not of this journal.
    pub(crate) fn after(&self, sequence: u64) -> Option<Vec<Report>> {
        let oldest = self
            .reports
            .front()
            .map_or(self.sequence + 1, |report| report.sequence);
        let whole = sequence <= self.sequence && sequence + 1 >= oldest;
        whole.then(|| {
            self.reports
                .iter()
                .filter(|report| report.sequence > sequence)
                .cloned()
                .collect()
        })
    }

    /// The oldest change is dropped first: what it told is in the reports or is asked for again.
    fn push(&mut self, change: Change) {
        if self.pending.len() == PENDING {
            self.pending.remove(0);
        }
        self.pending.push(change);
    }
}

//! A provider's upstream model in use: its breaker, and which credentials may serve it now.
//!
//! What is usable changes rarely against the number of picks, so it is kept as a list that is made again after a change (`version`), and a
//! pick only reads it.

use std::sync::Arc;

use crate::breaker::Breaker;
use crate::gate::Gate;
use crate::ids::LaneId;
use crate::time::Time;

/// One upstream model of a provider.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) id: LaneId,
    pub(crate) model: Arc<str>,
    /// False when no member uses it any more, and it is kept for what was learned.
    pub(crate) in_use: bool,
    pub(crate) breaker: Breaker,
    /// Credentials that are switched on, have a weight and may serve the model; by priority.
    pub(crate) candidates: Vec<Candidate>,
    /// Ranges of `candidates` of one priority.
    pub(crate) tiers: Vec<std::ops::Range<usize>>,
    /// Counts how often `candidates`' gates were looked at again.
    pub(crate) version: u64,
    pub(crate) stale: bool,
    /// When it served last.
    pub(crate) served: Option<Time>,
}

/// One credential that may serve a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) credential: usize,
    pub(crate) key: usize,
    pub(crate) weight: u32,
    pub(crate) gate: Gate,
}

impl Lane {
    pub(crate) fn new(id: LaneId, model: Arc<str>) -> Self {
        Self {
            id,
            model,
            in_use: false,
            breaker: Breaker::default(),
            candidates: Vec::new(),
            tiers: Vec::new(),
            version: 0,
            stale: true,
            served: None,
        }
    }

    /// Whether any candidate is open, for a trial at least.
    pub(crate) fn is_open(&self) -> bool {
        self.candidates
            .iter()
            .any(|candidate| candidate.gate != Gate::Block)
    }
}

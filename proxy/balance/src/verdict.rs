//! What this process learned, for the leader; and what it tells us of the others.
//!
//! Own findings have a sequence number; the caller adds its instance id to make it a verdict's name. Advisories are stored apart from own
//! observations and never reported back. A success refutes only what was known before its attempt was sent.

use std::sync::Arc;

use crate::health::EndpointState;
use crate::time::Time;

/// One thing that this process learned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// Counts the reports of this balancer, from 1.
    pub sequence: u64,
    /// UID of the provider it is about.
    pub provider: Arc<str>,
    /// When it was learned.
    pub at: Time,
    /// What was learned.
    pub finding: Finding,
}

/// What was learned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// A success or a probe proved this value for the first time; it clears nothing.
    Proven {
        /// The value.
        fingerprint: Arc<str>,
    },
    /// The first validation could not tell: the key is used, unproven.
    NotVerifiable {
        /// The value.
        fingerprint: Arc<str>,
    },
    /// Rests for a while.
    Cooling {
        /// What rests.
        scope: Scope,
        /// Why.
        reason: CoolingReason,
        /// Until when.
        until: Time,
        /// True when no vendor's hint stands behind the deadline: where nothing else is usable it may be tried earlier.
        soft: bool,
    },
    /// Out of credit or plan; tried again slowly.
    Exhausted {
        /// What rests.
        scope: Scope,
        /// Until when.
        until: Time,
    },
    /// Refused, and the refusal was confirmed.
    Invalid {
        /// The value.
        fingerprint: Arc<str>,
    },
    /// These verdicts no longer hold: an attempt that was sent after they were known succeeded, or a person reset them.
    Refuted {
        /// The verdicts.
        verdicts: Vec<VerdictId>,
    },
    /// The endpoint changed its state.
    Endpoint {
        /// How it answers now.
        state: EndpointState,
    },
}

/// What rests.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Scope {
    /// The value whose use showed it.
    pub fingerprint: Arc<str>,
    /// True when every credential of that value's quota group rests; false for this value alone.
    pub quota_group: bool,
    /// The upstream model; none for all models.
    pub model: Option<Arc<str>>,
}

/// Why something rests.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CoolingReason {
    /// A rate limit.
    RateLimited,
    /// Refused without confirmation, or no permission for the model.
    Refused,
}

/// Names a verdict.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum VerdictId {
    /// The report of this balancer with that sequence number.
    Own(u64),
    /// Another process's.
    Foreign(ForeignId),
}

/// The name of another process's verdict.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ForeignId {
    /// The process.
    pub instance: Arc<str>,
    /// Its sequence number there.
    pub sequence: u64,
}

/// A verdict of another process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Advisory {
    /// Its name; a refutation names it.
    pub id: ForeignId,
    /// UID of the provider.
    pub provider: Arc<str>,
    /// What it says.
    pub advice: Advice,
}

/// What another process's verdict says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Advice {
    /// Rests for a while.
    Cooling {
        /// What rests.
        scope: Scope,
        /// Why.
        reason: CoolingReason,
        /// Until when, in this balancer's time.
        until: Time,
        /// True when no vendor's hint stands behind the deadline: where nothing else is usable it may be tried earlier.
        soft: bool,
    },
    /// Out of credit or plan.
    Exhausted {
        /// What rests.
        scope: Scope,
        /// Until when, in this balancer's time.
        until: Time,
    },
    /// Refused for good.
    Invalid {
        /// The value.
        fingerprint: Arc<str>,
    },
}

/// What the caller has to do or may tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Something was learned that matters to others; also in [`crate::Balancer::reports_since`].
    Learned(Report),
    /// A validation call for this key is due: [`crate::Balancer::start_probe`], then [`crate::Balancer::confirm`].
    ConfirmNeeded {
        /// UID of the provider.
        provider: Arc<str>,
        /// The value.
        fingerprint: Arc<str>,
    },
}

/// Reports for a reader.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reports {
    /// True when `reports` is all that holds now, because what the reader lacks is no longer kept one by one.
    pub snapshot: bool,
    /// In order of their sequence.
    pub reports: Vec<Report>,
    /// The sequence number up to which this tells everything.
    pub sequence: u64,
}

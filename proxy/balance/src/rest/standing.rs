//! What may stand against something that rests.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::Tick;
use crate::time::Time;
use crate::verdict::ForeignId;

/// What a verdict says; a later one outweighs an earlier one while both stand.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    RateLimited,
    Refused,
    Credit,
    Invalid,
}

/// What this process saw.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) kind: Kind,
    pub(crate) until: Time,
    pub(crate) since: Time,
    /// The value whose use showed it.
    pub(crate) by: Arc<str>,
    pub(super) refused_at: Time,
    pub(super) known: Tick,
    /// Up to here a vendor's word stands behind it.
    pub(super) hinted: Time,
    /// The request that showed it may have caused it, and nobody else has served that request.
    pub(crate) doubtful: bool,
    /// Names under which it was told, the last one being current.
    pub(crate) ids: Vec<u64>,
    pub(super) told: Option<Told>,
}

impl Own {
    /// No vendor's word stands behind what is left of it.
    pub(crate) fn is_soft(&self, now: Time) -> bool {
        self.kind < Kind::Credit && self.hinted <= now
    }
}

/// What others were told last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) kind: Kind,
    pub(super) until: Time,
    pub(super) soft: bool,
}

/// What another process saw.
#[derive(Clone, Debug)]
pub(crate) struct Advised {
    pub(crate) id: ForeignId,
    pub(crate) kind: Kind,
    pub(crate) until: Time,
    pub(crate) since: Time,
    pub(crate) known: Tick,
    pub(crate) soft: bool,
}

/// One refusal that lays it to rest.
#[derive(Debug)]
pub(crate) struct Refusal<'a> {
    pub(crate) kind: Kind,
    pub(crate) hint: Option<Duration>,
    pub(crate) by: &'a Arc<str>,
    /// Whether the request may have caused it.
    pub(crate) doubtful: bool,
    /// When its attempt was sent.
    pub(crate) sent: Tick,
    /// When it came: earlier than now, where it was not believed at once.
    pub(crate) known: Tick,
    /// The same as a time.
    pub(crate) at: Time,
}

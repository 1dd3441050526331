//! Why nothing can serve, with all that an honest answer needs.

use crate::time::Time;

/// No target is usable for this request now. Counts are distinct credentials of the eligible members, each under one cause.
#[derive(Clone, Debug, Default, Eq, PartialEq, thiserror::Error)]
#[error("none of {total} keys can serve now")]
pub struct NoTarget {
    /// Credentials of the eligible members.
    pub total: u32,
    /// Resting after a rate limit.
    pub rate_limited: u32,
    /// Resting after another refusal, or awaiting its confirmation.
    pub refused: u32,
    /// Out of credit or plan.
    pub exhausted: u32,
    /// Refused for good.
    pub invalid: u32,
    /// Switched off, drained, or not for the members' models.
    pub disabled: u32,
    /// Their provider's breaker is open.
    pub provider_down: u32,
    /// Back from a rest, and another request is trying them just now.
    pub on_trial: u32,
    /// Already tried by this request.
    pub tried: u32,
    /// When the first of them may be back without a person's help; none when waiting cannot help.
    pub earliest: Option<Time>,
}

impl NoTarget {
    /// Whether a later repetition of the request may be served.
    pub fn waiting_helps(&self) -> bool {
        self.earliest.is_some()
    }

    /// Whether limits are the only passing cause: then the answer is 429, else 503.
    pub fn limits_only(&self) -> bool {
        self.rate_limited + self.exhausted > 0 && self.provider_down + self.refused + self.on_trial == 0
    }
}

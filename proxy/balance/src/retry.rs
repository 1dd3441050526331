//! Whether a failed request is tried elsewhere: two budgets and a deadline.
//!
//! * *Rotation*, after a definite refusal by a key: at once, each target once. After a refusal that the request itself may have earned, as
//!   many attempts as the group allows: a crafted request must not walk over the whole pool.
//! * *Retry*, after the provider's fault: so many attempts as the group allows, the first included, and within the failing provider's budget.
//! * *Ambiguous*, sent without an answer: once, and only where the user allows it, for it may cost twice.
//!
//! No attempt starts after the deadline.

use crate::attempts::Attempts;
use crate::budget::Budget;
use crate::config::{Ambiguous, RetryConfig};
use crate::ids::ProviderId;
use crate::observation::{Observation, Proof};
use crate::time::Time;

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Nothing: the request is answered.
    Done,
    /// Pick again, at once.
    Elsewhere,
    /// Answer with what there is.
    Stop(StopReason),
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StopReason {
    /// The request is wrong, no other target would take it.
    ClientFault,
    /// The client went away.
    ClientGone,
    /// The answer had begun.
    Committed,
    /// Sent without an answer, and repeating is not allowed or was done.
    Ambiguous,
    /// As many attempts as the group allows.
    AttemptsUsed,
    /// The failing provider's retry budget is spent.
    BudgetSpent,
    /// Too late to start another attempt.
    Deadline,
}

/// How an outcome bears on another attempt.
enum Class {
    End(Next),
    Refused(Proof),
    Fault,
    Unanswered,
}

fn class(observation: Observation) -> Class {
    match observation {
        Observation::Success | Observation::Completed => Class::End(Next::Done),
        Observation::ClientFault => Class::End(Next::Stop(StopReason::ClientFault)),
        Observation::Cancelled => Class::End(Next::Stop(StopReason::ClientGone)),
        Observation::Cut => Class::End(Next::Stop(StopReason::Committed)),
        // Nothing but the request is to blame.
        Observation::TooBig => Class::Refused(Proof::Ambiguous),
        Observation::Rate { proof, .. }
        | Observation::Credit { proof, .. }
        | Observation::Auth { proof, .. }
        | Observation::Model { proof } => Class::Refused(proof),
        Observation::Env(_) | Observation::Overload { .. } | Observation::Server => Class::Fault,
        Observation::Unanswered => Class::Unanswered,
    }
}

/// Whether the provider failed, and not the key or the request.
pub(crate) fn is_provider_fault(observation: Observation) -> bool {
    matches!(class(observation), Class::Fault | Class::Unanswered)
}

/// Decides, and notes in the request's record what it used up. `budget` is the failing provider's; none when that is gone.
pub(crate) fn decide(
    observation: Observation,
    retry: RetryConfig,
    provider: ProviderId,
    budget: Option<&mut Budget>,
    attempts: &mut Attempts,
    now: Time,
) -> Next {
    let class = class(observation);
    let allowed = match class {
        Class::End(next) => return next,
        Class::Refused(proof) => attempts.refused(proof, retry.attempts),
        Class::Fault => attempts.failed_by(provider, retry.attempts),
        Class::Unanswered if retry.ambiguous == Ambiguous::Never => Err(StopReason::Ambiguous),
        Class::Unanswered if std::mem::replace(&mut attempts.repeated, true) => Err(StopReason::Ambiguous),
        Class::Unanswered => attempts.failed_by(provider, retry.attempts),
    };
    if let Err(reason) = allowed {
        return Next::Stop(reason);
    }
    if now >= attempts.arrived.after(retry.deadline) {
        return Next::Stop(StopReason::Deadline);
    }
    if matches!(class, Class::Fault | Class::Unanswered)
        && let Some(budget) = budget
    {
        if !budget.charge(now) {
            return Next::Stop(StopReason::BudgetSpent);
        }
        attempts.charged = Some(provider);
    }
    Next::Elsewhere
}

impl Attempts {
    fn refused(&mut self, proof: Proof, limit: u32) -> Result<(), StopReason> {
        if self.doubtful > 0 || proof == Proof::Ambiguous {
            self.doubtful += 1;
        }
        if self.doubtful > 0 && self.doubtful >= limit {
            Err(StopReason::AttemptsUsed)
        } else {
            Ok(())
        }
    }

    fn failed_by(&mut self, provider: ProviderId, limit: u32) -> Result<(), StopReason> {
        self.provider_faults += 1;
        if !self.failed.contains(&provider) {
            self.failed.push(provider);
        }
        if self.provider_faults >= limit {
            Err(StopReason::AttemptsUsed)
        } else {
            Ok(())
        }
    }
}

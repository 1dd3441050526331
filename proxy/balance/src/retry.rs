//! Whether a failed request is tried elsewhere.

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

//! What an attempt taught us, as data. The dialect that spoke with the provider decides the class; this crate decides the effect.

use std::time::Duration;

/// One attempt's outcome.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Observation {
    /// The answer is known to be good: told at the commit, not at a stream's end.
    Success,
    /// The request is wrong; the provider's answer goes back as it is.
    ClientFault,
    /// Larger than what this key may send; waiting never helps. One key with another limit is asked, then the next priority.
    TooBig,
    /// A rate limit.
    Rate {
        /// When the vendor says that it may be tried again.
        hint: Option<Duration>,
        /// What the limit covers.
        reach: Reach,
        /// Whether the request itself may have caused it.
        proof: Proof,
    },
    /// Out of credit or plan.
    Credit {
        /// When the vendor says that it may be tried again.
        hint: Option<Duration>,
        /// Whose account is empty.
        account: Account,
        /// Whether the request itself may have caused it.
        proof: Proof,
    },
    /// The key was refused.
    Auth {
        /// The refusal carries a dead key's code, or comes from a server that sends no codes and answered 401.
        dead_code: bool,
        /// Whether the request itself may have caused it.
        proof: Proof,
    },
    /// This key may not use this model, or the model is not there.
    Model {
        /// Whether the request itself may have caused it.
        proof: Proof,
    },
    /// The endpoint could not be used, and the request was not sent or not looked at.
    Env(EnvFault),
    /// The provider sheds load for everybody: 503, 529, 498.
    Overload {
        /// When the vendor says that it may be tried again.
        hint: Option<Duration>,
    },
    /// The provider failed and said so with no output: 500, 502.
    Server,
    /// Sent, and no answer: a timeout, 504, 524, a connection lost. The provider may have worked on it.
    Unanswered,
    /// The answer broke off after the commit. A second report for a ticket that was settled as a success.
    Cut,
    /// The answer came to its end after the commit, where it could have broken off. A second report as well.
    Completed,
    /// The client went away before the outcome was known.
    Cancelled,
}

/// What a rate limit covers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// The quota group's use of the attempt's model.
    Model,
    /// The quota group's use of every model.
    QuotaGroup,
}

/// Who pays from an account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Account {
    /// The whole quota group.
    QuotaGroup,
    /// A part of it that nothing but this credential is known to be in.
    Credential,
}

/// Whether a refusal can have been caused by the request's content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof {
    /// A machine code that cannot depend on the request.
    MachineCode,
    /// A bare status: a crafted request might earn it on every key.
    Ambiguous,
}

/// Why an endpoint could not be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EnvFault {
    /// Refused, reset or timed out while connecting; or the provider refuses our address or region.
    Refused,
    /// The name does not resolve.
    Dns,
    /// The certificate is not trusted, not for this name or expired.
    Tls,
}

/// What a validation call taught us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProbeVerdict {
    /// Accepted.
    Valid,
    /// Refused with a dead key's code, or with 401 by a server that sends no codes.
    Dead,
    /// Answered with something that proves nothing: 403, missing scopes, no such call, a limit.
    NotVerifiable,
    /// The endpoint could not be used.
    Unreachable(EnvFault),
    /// The provider has no such call (404, 405): requests have to confirm.
    Unsupported,
    /// No answer in time, or a provider's fault.
    Failed,
}

//! What an attempt taught: the caller's and the dialect's words → the balancer's.

use keypool_balance::{Account, EnvFault, Observation, Proof, Reach};
use keypool_dialect::outcome::{Class, Outcome, Scope};

/// How an attempt ended, before anything of it went to the client.
#[derive(Clone, Copy, Debug)]
pub enum Attempted<'a> {
    /// The provider answered, and this is what its answer means.
    Answered(&'a Outcome),
    /// The request was never sent: no connection to the provider.
    NotSent(EnvFault),
    /// Sent, and no answer: the connection broke or a timeout passed. The provider may have worked on it.
    Unanswered,
    /// The client went away first.
    ClientGone,
}

impl Attempted<'_> {
    /// The name in metrics and logs; a closed set.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answered(outcome) => outcome.class.name(),
            Self::NotSent(EnvFault::Refused) => "refused",
            Self::NotSent(EnvFault::Dns) => "dns_failed",
            Self::NotSent(EnvFault::Tls) => "tls_invalid",
            Self::Unanswered => "unanswered",
            Self::ClientGone => "cancelled",
        }
    }

    pub(super) fn observation(&self) -> Observation {
        match self {
            Self::Answered(outcome) => observe(outcome),
            Self::NotSent(fault) => Observation::Env(*fault),
            Self::Unanswered => Observation::Unanswered,
            Self::ClientGone => Observation::Cancelled,
        }
    }
}

fn observe(outcome: &Outcome) -> Observation {
    let hint = outcome.hint;
    let proof = if outcome.machine_code {
        Proof::MachineCode
    } else {
        Proof::Ambiguous
    };
    match outcome.class {
        Class::Success => Observation::Success,
        Class::Client => Observation::ClientFault,
        Class::TooBigForKey => Observation::TooBig,
        Class::Rate | Class::RateLong => Observation::Rate {
            hint,
            reach: reach(outcome.scope),
            proof,
        },
        Class::Credit => Observation::Credit {
            hint,
            account: match outcome.scope {
                Scope::Credential => Account::Credential,
                _ => Account::QuotaGroup,
            },
            proof,
        },
        Class::AuthDead => Observation::Auth {
            dead_code: true,
            proof,
        },
        Class::AuthUnclear => Observation::Auth {
            dead_code: false,
            proof,
        },
        Class::Model => Observation::Model { proof },
        Class::Env | Class::Overload | Class::Server | Class::Invalid if outcome.may_have_run => {
            Observation::Unanswered
        }
        Class::Env => Observation::Env(EnvFault::Refused),
        Class::Overload => Observation::Overload { hint },
        Class::Server | Class::Invalid => Observation::Server,
        Class::Stream => Observation::Cut,
    }
}

fn reach(scope: Scope) -> Reach {
    match scope {
        Scope::QuotaGroup | Scope::Credential | Scope::Provider => Reach::QuotaGroup,
        Scope::Nothing | Scope::CredentialModel | Scope::QuotaGroupModel | Scope::ProviderModel => {
            Reach::Model
        }
    }
}

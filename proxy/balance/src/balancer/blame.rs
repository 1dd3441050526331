//! Whom a refusal is about, and what there is to say of it.

use std::time::Duration;

use super::Place;
use crate::ids::Tick;
use crate::observation::{Account, Observation, Proof, Reach};
use crate::provider::RestAt;
use crate::rest::Kind;
use crate::time::Time;

/// How a refusal came to be known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// When its attempt was sent.
    pub(super) sent: Tick,
    /// When it was known: before it had its consequence, where that had to wait.
    pub(super) known: Tick,
    /// The same as a time.
    pub(super) at: Time,
    /// Whether its request may have caused it, for all that is known now.
    pub(super) doubtful: bool,
}

/// What a refusal lays to rest.
pub(super) fn blame(
    place: Place,
    observation: Observation,
) -> Option<(RestAt, Kind, Option<Duration>, Proof)> {
    let Place { key, quota, lane, .. } = place;
    Some(match observation {
        Observation::Rate { hint, reach, proof } => {
            let at = match reach {
                Reach::Model => RestAt::QuotaModel(quota, lane),
                Reach::QuotaGroup => RestAt::Quota(quota),
            };
            (at, Kind::RateLimited, hint, proof)
        }
        Observation::Credit { hint, account, proof } => {
            let at = match account {
                Account::QuotaGroup => RestAt::Quota(quota),
                Account::Credential => RestAt::Key(key),
            };
            (at, Kind::Credit, hint, proof)
        }
        Observation::Auth { proof, .. } => (RestAt::Key(key), Kind::Refused, None, proof),
        Observation::Model { proof } => (RestAt::KeyModel(key, lane), Kind::Refused, None, proof),
        _ => return None,
    })
}

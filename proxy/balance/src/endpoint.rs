//! How a provider's endpoint answers this process.
//!
//! One failed connection among successes is noise: the state turns bad at the second in a row, or when the endpoint was not reached within the
//! last minute. An unchanged state is told again every half minute while it is tried, so that a leader knows who tried lately.

use std::time::Duration;

use crate::health::{EndpointHealth, EndpointState};
use crate::observation::EnvFault;
use crate::time::Time;

const FAILURES_THAT_COUNT: u32 = 2;
const REACHED_LATELY: Duration = Duration::from_secs(60);
const TOLD_AGAIN: Duration = Duration::from_secs(30);

/// What is known of an endpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoint {
    health: EndpointHealth,
    row: u32,
    /// The number and the moment under which the state was told.
    told: Option<(u64, Time)>,
}

impl Endpoint {
    pub(crate) fn health(&self) -> EndpointHealth {
        self.health
    }

    /// It answered; `overloaded` when it lets nobody through all the same. Gives the state when it is to be told.
    pub(crate) fn reached(&mut self, overloaded: bool, now: Time) -> Option<EndpointState> {
        self.row = 0;
        self.health.reached = Some(now);
        self.turn(
            if overloaded {
                EndpointState::Overloaded
            } else {
                EndpointState::Reachable
            },
            now,
        )
    }

    /// It could not be used.
    pub(crate) fn failed(&mut self, fault: EnvFault, now: Time) -> Option<EndpointState> {
        self.row = self.row.saturating_add(1);
        let lately = self
            .health
            .reached
            .is_some_and(|reached| now.since(reached) <= REACHED_LATELY);
        if lately && self.row < FAILURES_THAT_COUNT {
            self.health.tried = Some(now);
            return None;
        }
        let state = match fault {
            EnvFault::Refused => EndpointState::Refused,
            EnvFault::Dns => EndpointState::DnsFailed,
            EnvFault::Tls => EndpointState::TlsInvalid,
        };
        self.turn(state, now)
    }

    /// An attempt got no answer: it sheds load when its breakers say so, and is else as it was.
    pub(crate) fn unanswered(&mut self, overloaded: bool, now: Time) -> Option<EndpointState> {
        self.health.tried = Some(now);
        if overloaded {
            self.turn(EndpointState::Overloaded, now)
        } else {
            None
        }
    }

    /// Notes under which number the state was told.
    pub(crate) fn told_as(&mut self, id: u64, now: Time) {
        self.told = Some((id, now));
    }

    /// The last telling: number, moment, state.
    pub(crate) fn told(&self) -> Option<(u64, Time, EndpointState)> {
        self.told
            .zip(self.health.state)
            .map(|((id, at), state)| (id, at, state))
    }

    fn turn(&mut self, state: EndpointState, now: Time) -> Option<EndpointState> {
        self.health.tried = Some(now);
        let changed = self.health.state != Some(state);
        if changed {
            self.health.state = Some(state);
            self.health.since = now;
        }
        let stale = self.told.is_none_or(|(_, at)| now.since(at) >= TOLD_AGAIN);
        (changed || stale).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;
    use crate::health::EndpointState;
    use crate::observation::EnvFault;
    use crate::time::Time;

    #[test]
    fn one_failure_among_successes_is_noise() {
        let mut endpoint = Endpoint::default();
        let at = |s: u64| Time::from_millis(s * 1_000);
        assert_eq!(
            endpoint.failed(EnvFault::Dns, at(1)),
            Some(EndpointState::DnsFailed),
            "never reached"
        );
        endpoint.told_as(1, at(1));
        assert_eq!(endpoint.failed(EnvFault::Dns, at(2)), None, "told already");
        assert_eq!(
            endpoint.failed(EnvFault::Dns, at(31)),
            Some(EndpointState::DnsFailed),
            "told again"
        );
        assert_eq!(endpoint.reached(false, at(32)), Some(EndpointState::Reachable));
        endpoint.told_as(2, at(32));
        assert_eq!(endpoint.failed(EnvFault::Tls, at(33)), None);
        assert_eq!(endpoint.health().state, Some(EndpointState::Reachable));
        assert_eq!(
            endpoint.failed(EnvFault::Tls, at(34)),
            Some(EndpointState::TlsInvalid)
        );
        assert_eq!(endpoint.reached(true, at(35)), Some(EndpointState::Overloaded));
        assert_eq!(
            endpoint.failed(EnvFault::Refused, at(99)),
            Some(EndpointState::Refused),
            "not reached lately"
        );
    }
}

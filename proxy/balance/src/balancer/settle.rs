//! The end of an attempt: what it taught, and whether the request goes elsewhere.

use super::{Balancer, Ticket, too_big};
use crate::attempts::Attempts;
use crate::observation::Observation;
use crate::provider::Provider;
use crate::retry::{self, Next};
use crate::time::Time;

impl Balancer {
    /// Learns from an attempt, and says whether the request is tried elsewhere. What belongs to a value that is gone teaches nothing.
    pub fn settle(
        &mut self,
        ticket: &Ticket,
        observation: Observation,
        attempts: &mut Attempts,
        now: Time,
    ) -> Next {
        self.advance(now);
        let mut back = None;
        if let Some(place) = self.locate(ticket) {
            self.learn(ticket, place, observation, attempts, now);
            back = self.doubted_until(place, observation, now);
            if observation == Observation::TooBig
                && let Some(provider) = self.providers.get(place.provider)
            {
                too_big::note(attempts, provider, place, ticket.lane);
            }
        }
        if let Some(tried) = attempts.last(ticket.lane, ticket.key) {
            tried.again = retry::is_provider_fault(observation);
            tried.back = back;
        }
        let provider = self.provider_mut(ticket);
        retry::decide(
            observation,
            ticket.retry,
            ticket.provider,
            provider.map(|p| &mut p.budget),
            attempts,
            now,
        )
    }

    fn provider_mut(&mut self, ticket: &Ticket) -> Option<&mut Provider> {
        match ticket.epoch == self.epoch {
            true => self.providers.get_mut(ticket.place.provider),
            false => self
                .providers
                .iter_mut()
                .find(|provider| provider.id == ticket.provider),
        }
    }
}

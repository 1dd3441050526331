//! A person's word: the rests of some credentials are over.

use std::sync::Arc;

use super::Balancer;
use crate::provider::RestAt;
use crate::time::Time;

impl Balancer {
    /// Ends the rests of a provider's credentials with these names, or of all when there are none: those of their values and of their
    /// quota groups, advised ones too. A confirmed dead key is freed as well: if it is still dead, one request shows it.
    pub fn clear_cooldown(&mut self, provider: &str, names: &[Arc<str>], now: Time) {
        self.advance(now);
        let Some(provider) = self
            .providers
            .iter()
            .position(|held| &*held.config.uid == provider)
        else {
            return;
        };
        let held = &self.providers[provider];
        let named = held.config.credentials.iter().zip(&held.credentials);
        let places: Vec<_> = named
            .filter(|(config, _)| names.is_empty() || names.contains(&config.name))
            .map(|(_, place)| *place)
            .collect();
        let concerns = |at: &RestAt| match *at {
            RestAt::Key(key) | RestAt::KeyModel(key, _) => places.iter().any(|place| place.key == key),
            RestAt::Quota(quota) | RestAt::QuotaModel(quota, _) => {
                places.iter().any(|place| place.quota == quota)
            }
        };
        let rests: Vec<RestAt> = held.rests().filter(concerns).collect();
        let mut refuted = Vec::new();
        for at in rests {
            refuted.extend(
                self.change_rest(provider, at, |rest, _| rest.reset(now))
                    .into_iter()
                    .flatten(),
            );
        }
        let held = &mut self.providers[provider];
        for place in &places {
            if let Some(key) = held.keys.get_mut(place.key) {
                key.suspected = false;
            }
        }
        let keys: Vec<usize> = places.iter().map(|place| place.key).collect();
        self.tell_refuted(provider, &keys, refuted, now);
    }
}

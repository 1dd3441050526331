//! Validation calls: free, and the only thing but a second refusal that makes a key `Invalid`.

use super::units::recheck_interval;
use super::{Balancer, ProbeTicket};
use crate::cooldown::Jitter;
use crate::key::Proof;
use crate::observation::ProbeVerdict;
use crate::provider::RestAt;
use crate::rest::Kind;
use crate::time::Time;
use crate::verdict::Finding;

impl Balancer {
    /// Notes that a validation call is about to be sent; none when the key is gone.
    pub fn start_probe(&mut self, provider: &str, fingerprint: &str) -> Option<ProbeTicket> {
        let sent = self.next_tick();
        let held = self.providers.iter().find(|held| &*held.config.uid == provider)?;
        let key = held.keys.iter().find(|key| &*key.fingerprint == fingerprint)?;
        Some(ProbeTicket {
            provider: held.id,
            key: key.id,
            sent,
        })
    }

    /// Learns from a validation call; nothing when its value is gone.
    pub fn confirm(&mut self, probe: &ProbeTicket, verdict: ProbeVerdict, now: Time) {
        self.advance(now);
        let Some(provider) = self.providers.iter().position(|held| held.id == probe.provider) else {
            return;
        };
        let Some(held) = self.providers.get_mut(provider) else {
            return;
        };
        let Some(index) = held.keys.iter().position(|key| key.id == probe.key) else {
            return;
        };
        let overloaded = held.is_overloaded();
        let news = match verdict {
            ProbeVerdict::Unreachable(fault) => held.endpoint.failed(fault, now),
            ProbeVerdict::Failed => held.endpoint.unanswered(overloaded, now),
            _ => held.endpoint.reached(overloaded, now),
        };
        self.tell_endpoint(provider, news, now);
        let Some(key) = self
            .providers
            .get_mut(provider)
            .and_then(|held| held.keys.get_mut(index))
        else {
            return;
        };
        key.answered();
        match verdict {
            ProbeVerdict::Valid => {
                self.prove(provider, index, probe.sent, now);
                let refuted =
                    self.change_rest(provider, RestAt::Key(index), |rest, _| match rest.is_clear() {
                        true => Vec::new(),
                        false => rest.absolve(probe.sent, now),
                    });
                self.tell_refuted(provider, &[index], refuted.unwrap_or_default(), now);
            }
            // A success of something sent later outweighs it.
            ProbeVerdict::Dead if key.proven_by > probe.sent => {}
            ProbeVerdict::Dead => {
                key.suspected = true;
                self.condemn(provider, index, now);
            }
            ProbeVerdict::NotVerifiable => self.not_verifiable(provider, index, now),
            ProbeVerdict::Unsupported => {
                key.unprobeable = true;
                self.not_verifiable(provider, index, now);
                self.free_for_trial(provider, index, now);
            }
            ProbeVerdict::Unreachable(_) | ProbeVerdict::Failed => {}
        }
    }

    /// It proves nothing: a benched key rests on and is tried again, an unproven one is used.
    fn not_verifiable(&mut self, provider: usize, key: usize, now: Time) {
        let Some(held) = self.providers.get_mut(provider) else {
            return;
        };
        let Some(key) = held.keys.get_mut(key) else { return };
        if key.proof == Proof::None {
            let fingerprint = key.fingerprint.clone();
            let told = self
                .journal
                .report(&held.config.uid, now, Finding::NotVerifiable { fingerprint });
            key.proof = Proof::NotVerifiable { told, at: now };
        }
    }

    /// A dead key whose validation call went away is tried by requests from now on: its deadline must be no later than a rest's.
    fn free_for_trial(&mut self, provider: usize, key: usize, now: Time) {
        let Some(held) = self.providers.get(provider) else {
            return;
        };
        let invalid = held
            .rest(RestAt::Key(key))
            .is_some_and(|rest| rest.kind() == Some(Kind::Invalid));
        if invalid && recheck_interval(held, key).is_none() {
            let pause = held.config.cooldown.max;
            self.change_rest(provider, RestAt::Key(key), |rest, random| {
                rest.postpone(now.after(Jitter::draw(random).stretch(pause)), now);
            });
        }
    }
}

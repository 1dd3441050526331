//! Whose turn is it? Pure.
//!
//! A provider that does not answer holds its calls until they time out, so each provider has places of its own: another's keys do
//! not wait for it. A refused key rests, and its status is open, until its confirmation is there; a first validation can wait. So
//! confirmations go first, and first validations leave one place free for them.
//!
//! For one key there is one call at a time. A first validation that is under way was sent before the refusal and cannot lift its rest:
//! the confirmation waits for its end.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::pool::Confirmation;

/// Calls at the same time, per provider: validation is patient.
const AT_ONCE: usize = 4;

/// Why there is a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    FirstValidation,
    Confirmation,
}

/// The calls that are under way and those that wait.
#[derive(Debug, Default)]
pub(super) struct Turns(HashMap<Arc<str>, Line>);

/// Those of one provider.
#[derive(Debug, Default)]
struct Line {
    under_way: Vec<(Confirmation, Reason)>,
    confirmations: VecDeque<Confirmation>,
    first_validations: VecDeque<Confirmation>,
}

impl Turns {
    /// Lets a call wait for its turn, unless one for this key that tells as much waits already or is under way.
    pub(super) fn want(&mut self, key: Confirmation, reason: Reason) {
        let line = self.0.entry(key.provider.clone()).or_default();
        let under_way = line.under_way(&key);
        let told = match reason {
            Reason::FirstValidation => under_way.is_some(),
            Reason::Confirmation => under_way == Some(reason),
        };
        if told || line.confirmations.contains(&key) {
            return;
        }
        let waits = line.first_validations.iter().position(|known| *known == key);
        match (reason, waits) {
            (Reason::FirstValidation, Some(_)) => {}
            (Reason::FirstValidation, None) => line.first_validations.push_back(key),
            (Reason::Confirmation, waits) => {
                waits.map(|place| line.first_validations.remove(place));
                line.confirmations.push_back(key);
            }
        }
    }

    /// The next call of a provider that may begin; it is under way then.
    pub(super) fn begin(&mut self, provider: &str) -> Option<(Confirmation, Reason)> {
        let line = self.0.get_mut(provider)?;
        let room = AT_ONCE.saturating_sub(line.under_way.len());
        let mut waiting = line.confirmations.iter();
        let next = match waiting.position(|key| line.under_way(key).is_none()) {
            Some(place) if room > 0 => (line.confirmations.remove(place)?, Reason::Confirmation),
            _ if room > 1 => (line.first_validations.pop_front()?, Reason::FirstValidation),
            _ => return None,
        };
        line.under_way.push(next.clone());
        Some(next)
    }

    /// A call is over.
    pub(super) fn end(&mut self, key: &Confirmation) {
        let Some(line) = self.0.get_mut(&key.provider) else {
            return;
        };
        line.under_way.retain(|(known, _)| known != key);
        if line.under_way.is_empty() && line.confirmations.is_empty() && line.first_validations.is_empty() {
            self.0.remove(&key.provider);
        }
    }
}

impl Line {
    /// Why there is a call for this key just now.
    fn under_way(&self, key: &Confirmation) -> Option<Reason> {
        let mut under_way = self.under_way.iter();
        under_way
            .find(|(known, _)| known == key)
            .map(|(_, reason)| *reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(provider: &str, fingerprint: impl ToString) -> Confirmation {
        Confirmation {
            provider: provider.into(),
            fingerprint: fingerprint.to_string().into(),
        }
    }

    fn begun(turns: &mut Turns, provider: &str) -> Vec<String> {
        std::iter::from_fn(|| turns.begin(provider))
            .map(|(key, _)| key.fingerprint.to_string())
            .collect()
    }

    #[test]
    fn a_provider_that_does_not_answer_holds_up_no_other() {
        let mut turns = Turns::default();
        for number in 0..40 {
            turns.want(key("silent", number), Reason::FirstValidation);
        }
        assert_eq!(begun(&mut turns, "silent"), ["0", "1", "2"]);
        turns.want(key("other", "a"), Reason::Confirmation);
        turns.want(key("other", "b"), Reason::FirstValidation);
        assert_eq!(begun(&mut turns, "other"), ["a", "b"]);
        turns.end(&key("silent", 1));
        assert_eq!(begun(&mut turns, "silent"), ["3"]);
    }

    #[test]
    fn confirmations_go_first() {
        let mut turns = Turns::default();
        for number in 0..6 {
            turns.want(key("p", number), Reason::FirstValidation);
        }
        assert_eq!(begun(&mut turns, "p"), ["0", "1", "2"]);
        // One that waits already comes to the front, one that is under way is not repeated.
        turns.want(key("p", 5), Reason::Confirmation);
        turns.want(key("p", 5), Reason::FirstValidation);
        turns.want(key("p", 0), Reason::FirstValidation);
        turns.want(key("p", "new"), Reason::Confirmation);
        assert_eq!(turns.begin("p"), Some((key("p", 5), Reason::Confirmation)));
        assert_eq!(turns.begin("p"), None, "all places are taken");
        turns.end(&key("p", 0));
        assert_eq!(begun(&mut turns, "p"), ["new"]);
        for done in ["1", "2", "5", "new"] {
            turns.end(&key("p", done));
        }
        assert_eq!(begun(&mut turns, "p"), ["3", "4"]);
        for done in ["3", "4"] {
            turns.end(&key("p", done));
        }
        assert!(turns.0.is_empty(), "nothing is kept of what is over");
    }

    #[test]
    fn a_confirmation_waits_for_the_first_validation_of_its_key() {
        let mut turns = Turns::default();
        turns.want(key("p", "a"), Reason::FirstValidation);
        assert_eq!(begun(&mut turns, "p"), ["a"]);
        turns.want(key("p", "a"), Reason::Confirmation);
        turns.want(key("p", "b"), Reason::FirstValidation);
        turns.want(key("p", "c"), Reason::Confirmation);
        assert_eq!(begun(&mut turns, "p"), ["c", "b"], "one call at a time for a key");
        turns.end(&key("p", "a"));
        assert_eq!(turns.begin("p"), Some((key("p", "a"), Reason::Confirmation)));
        // Now it is as good as the one that is wanted.
        turns.want(key("p", "a"), Reason::Confirmation);
        turns.end(&key("p", "a"));
        assert_eq!(turns.begin("p"), None);
    }
}

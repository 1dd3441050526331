//! When is a key that nothing has proven asked about?
//!
//! First within [`SPREAD`] of its appearance, then every interval ± 20 %. Pure: time and randomness are arguments.

use std::collections::HashMap;
use std::time::Duration;

use keypool_balance::Time;

use crate::pool::Confirmation;

/// The first call comes within this time of a key's appearance.
const SPREAD: Duration = Duration::from_secs(1);
/// Looked at again at least this often.
const IDLE: Duration = Duration::from_secs(60);

/// A key that is in use and not proven.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unproven {
    /// Which.
    pub key: Confirmation,
    /// Time between two calls for it.
    pub interval: Duration,
}

/// The next call of every key that is not proven.
#[derive(Debug, Default)]
pub struct Schedule(HashMap<Confirmation, Time>);

impl Schedule {
    /// Which keys to ask about now, and how long until this is to be called again. `random` is in 0..=u32::MAX.
    pub fn due(
        &mut self,
        unproven: Vec<Unproven>,
        now: Time,
        mut random: impl FnMut() -> u32,
    ) -> (Vec<Confirmation>, Duration) {
        let mut share = |of: Duration| of.mul_f64(f64::from(random()) / f64::from(u32::MAX));
        let mut next = HashMap::with_capacity(unproven.len());
        let mut due = Vec::new();
        let mut soonest = now.after(IDLE);
        for Unproven { key, interval } in unproven {
            let mut at = match self.0.get(&key) {
                Some(at) => *at,
                None => now.after(share(SPREAD)),
            };
            if at <= now {
                due.push(key.clone());
                let shortest = interval.mul_f64(0.8);
                at = now.after(shortest + share(interval.mul_f64(0.4)));
            }
            soonest = soonest.min(at);
            next.insert(key, at);
        }
        // Keys that were proven, or are gone, are forgotten.
        self.0 = next;
        (due, soonest.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(900);

    fn unproven(names: &[&str]) -> Vec<Unproven> {
        names
            .iter()
            .map(|name| Unproven {
                key: Confirmation {
                    provider: "p".into(),
                    fingerprint: (*name).into(),
                },
                interval: INTERVAL,
            })
            .collect()
    }

    #[test]
    fn a_new_key_is_asked_about_soon_and_then_every_interval() {
        for (random, first, again) in [(0, 0, 720), (u32::MAX, 1, 1080)] {
            let mut schedule = Schedule::default();
            let start = Time::from_millis(5_000);
            let (due, wait) = schedule.due(unproven(&["a"]), start, || random);
            // With the smallest draw the first call is at once.
            assert_eq!(due.len(), usize::from(random == 0));
            let at = start.after(Duration::from_secs(first));
            if random == 0 {
                assert_eq!(wait, IDLE);
            } else {
                assert_eq!(wait, SPREAD);
                let (due, _) = schedule.due(unproven(&["a"]), at, || random);
                assert_eq!(due.len(), 1);
            }
            let before = at.after(Duration::from_secs(again - 1));
            assert_eq!(schedule.due(unproven(&["a"]), before, || random).0, []);
            let then = at.after(Duration::from_secs(again));
            assert_eq!(schedule.due(unproven(&["a"]), then, || random).0.len(), 1);
        }
    }

    #[test]
    fn a_proven_key_is_forgotten_and_a_new_value_is_new() {
        let mut schedule = Schedule::default();
        let now = Time::from_millis(0);
        assert_eq!(schedule.due(unproven(&["a"]), now, || 0).0.len(), 1);
        assert_eq!(schedule.due(unproven(&[]), now, || 0).0, []);
        assert_eq!(schedule.due(unproven(&["b"]), now, || 0).0.len(), 1);
        // It was proven in between: what is unproven again is a first validation again.
        assert_eq!(schedule.due(unproven(&["a", "b"]), now, || 0).0.len(), 1);
    }
}

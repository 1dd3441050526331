//! When is a key that nothing has proven asked about?
//!
//! First within [`SPREAD`] of its appearance, then every interval ± 20 %. A call that brought no answer says nothing, so it
//! is made again after [`RETRY`], doubling up to the interval. Pure: time and randomness are arguments.

use std::collections::HashMap;
use std::time::Duration;

use keypool_balance::Time;

use crate::pool::Confirmation;

/// The first call comes within this time of a key's appearance.
const SPREAD: Duration = Duration::from_secs(1);
/// After a call without an answer.
const RETRY: Duration = Duration::from_secs(2);
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
pub struct Schedule(HashMap<Confirmation, Next>);

#[derive(Clone, Copy, Debug)]
struct Next {
    at: Time,
    interval: Duration,
    /// Calls in a row that brought no answer.
    failures: u32,
}

impl Schedule {
    /// Which keys to ask about now, and how long until this is to be called again.
    pub fn due(
        &mut self,
        unproven: Vec<Unproven>,
        now: Time,
        mut random: impl FnMut() -> u32,
    ) -> (Vec<Confirmation>, Duration) {
        let mut next = HashMap::with_capacity(unproven.len());
        let mut due = Vec::new();
        let mut soonest = now.after(IDLE);
        for Unproven { key, interval } in unproven {
            let mut place = match self.0.get(&key) {
                Some(known) => Next { interval, ..*known },
                None => Next {
                    at: now.after(share(SPREAD, random())),
                    interval,
                    failures: 0,
                },
            };
            if place.at <= now {
                due.push(key.clone());
                place.at = now.after(around(interval, random()));
            }
            soonest = soonest.min(place.at);
            next.insert(key, place);
        }
        // Keys that were proven, or are gone, are forgotten.
        self.0 = next;
        (due, soonest.since(now))
    }

    /// A call ended; `answered` is false when the provider said nothing.
    pub fn ended(&mut self, key: &Confirmation, answered: bool, now: Time, random: u32) {
        let Some(next) = self.0.get_mut(key) else {
            return;
        };
        if answered {
            next.failures = 0;
            return;
        }
        let pause = RETRY
            .saturating_mul(1 << next.failures.min(20))
            .min(next.interval);
        next.failures += 1;
        next.at = now.after(around(pause, random));
    }
}

/// A part of a span, from none to all of it.
fn share(of: Duration, random: u32) -> Duration {
    of.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// A span ± 20 %.
fn around(span: Duration, random: u32) -> Duration {
    span.mul_f64(0.8) + share(span.mul_f64(0.4), random)
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

    #[test]
    fn a_call_without_an_answer_is_made_again_soon_and_then_less_often() {
        let mut schedule = Schedule::default();
        let key = unproven(&["a"])[0].key.clone();
        let mut now = Time::ZERO;
        assert_eq!(schedule.due(unproven(&["a"]), now, || 0).0.len(), 1);
        let middle = u32::MAX / 2;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            schedule.ended(&key, false, now, middle);
            let (due, wait) = schedule.due(unproven(&["a"]), now, || 0);
            assert_eq!(due, []);
            let mut waited = wait;
            while schedule
                .due(unproven(&["a"]), now.after(waited), || 0)
                .0
                .is_empty()
            {
                waited += IDLE.min(Duration::from_millis(100));
            }
            pauses.push(waited.as_secs_f64().round());
            now = now.after(waited);
        }
        assert_eq!(
            pauses[..9],
            [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]
        );
        assert_eq!(pauses[9..], [900.0, 900.0, 900.0]);
        // An answer that proves nothing begins the count anew.
        schedule.ended(&key, true, now, middle);
        schedule.ended(&key, false, now, middle);
        let (_, wait) = schedule.due(unproven(&["a"]), now, || 0);
        assert!((1.9..2.1).contains(&wait.as_secs_f64()), "{wait:?}");
        schedule.ended(&unproven(&["gone"])[0].key, false, now, middle);
    }
}

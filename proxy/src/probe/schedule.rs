//! When is a key that nothing has proven asked about?
//!
//! First when its [`Turn`] says, then every interval ± 20 %. A call that brought no answer says nothing, so it
//! is made again after [`RETRY`], doubling up to the interval. Pure: time and randomness are arguments.

use std::collections::HashMap;
use std::time::Duration;

use keypool_balance::Time;

use super::naming::{Naming, Turn};
use crate::pool::Confirmation;

/// Where every replica asks, the first call comes within this time of a key's appearance.
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
    /// Whether a call was made: what another pod is to ask about is no longer remembered without one.
    asked: bool,
    /// Calls in a row that brought no answer.
    failures: u32,
}

impl Schedule {
    /// Which keys to ask about now, and how long until this is to be called again.
    pub fn due(
        &mut self,
        unproven: Vec<Unproven>,
        naming: &Naming,
        now: Time,
        mut random: impl FnMut() -> u32,
    ) -> (Vec<Confirmation>, Duration) {
        let mut next = HashMap::with_capacity(unproven.len());
        let mut due = Vec::new();
        let mut wait = IDLE.min(naming.left_in(now).unwrap_or(IDLE));
        for Unproven { key, interval } in unproven {
            let turn = naming.turn(&key, now);
            let Some(mut place) = self.place(&key, turn, interval, now, &mut random) else {
                continue;
            };
            if turn != Turn::Never {
                if place.at <= now {
                    due.push(key.clone());
                    place.asked = true;
                    place.at = now.after(around(interval, random()));
                }
                wait = wait.min(place.at.since(now));
            }
            next.insert(key, place);
        }
        // Keys that were proven, or are gone, are forgotten.
        self.0 = next;
        (due, wait)
    }

    fn place(
        &self,
        key: &Confirmation,
        turn: Turn,
        interval: Duration,
        now: Time,
        mut random: impl FnMut() -> u32,
    ) -> Option<Next> {
        let known = self.0.get(key);
        let first = match (known, turn) {
            (Some(known), _) if known.asked => return Some(Next { interval, ..*known }),
            (_, Turn::Never) => return None,
            (_, Turn::Now) => now,
            (Some(known), _) => known.at,
            (None, Turn::Soon) => now.after(share(SPREAD, random())),
            (None, Turn::Within) => now.after(share(interval, random())),
        };
        Some(Next {
            at: first,
            interval,
            asked: false,
            failures: 0,
        })
    }

    /// Whether a call that has waited for its turn is still to be made. If not, it counts as never made.
    pub fn begins(&mut self, key: &Confirmation, naming: &Naming, now: Time) -> bool {
        let Some(next) = self.0.get_mut(key) else {
            return false;
        };
        let ours = naming.turn(key, now) != Turn::Never;
        next.asked &= ours;
        ours
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
mod tests;

//! The retry budget of a provider: so that its outage is not multiplied by our retries.
//!
//! Over a sliding ten seconds at most a tenth of its requests, but always thirty, are tried again after its faults. It is charged to the provider that
//! failed, wherever the next attempt goes: a healthy backup does not pay for a sick first choice.

use crate::time::Time;
use crate::window::Window;

const ALWAYS: u64 = 30;
const SHARE: u64 = 10;

/// Requests and retries of one provider.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    window: Window,
}

impl Budget {
    /// A request's attempt that is no charged retry.
    pub(crate) fn request(&mut self, now: Time) {
        self.window.add(now, 1, 0);
    }

    /// Charges one retry, if there is room.
    pub(crate) fn charge(&mut self, now: Time) -> bool {
        let (requests, retries) = self.window.sums(now);
        let room = retries < (requests / SHARE).max(ALWAYS);
        if room {
            self.window.add(now, 0, 1);
        }
        room
    }

    /// The charged retry found no target.
    pub(crate) fn refund(&mut self, now: Time) {
        self.window.take_back_second(now);
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use crate::time::Time;

    #[test]
    fn thirty_always_then_a_tenth_and_it_slides() {
        let mut budget = Budget::default();
        assert_eq!((0..40).filter(|_| budget.charge(Time::ZERO)).count(), 30);
        for _ in 0..1_000 {
            budget.request(Time::from_millis(1_000));
        }
        assert_eq!(
            (0..200)
                .filter(|_| budget.charge(Time::from_millis(1_000)))
                .count(),
            70
        );
        budget.refund(Time::from_millis(1_000));
        assert!(budget.charge(Time::from_millis(1_000)));
        assert!(!budget.charge(Time::from_millis(1_000)));
        assert_eq!(
            (0..40)
                .filter(|_| budget.charge(Time::from_millis(13_000)))
                .count(),
            30
        );
    }
}

//! How long a rest lasts.
//!
//! A vendor's hint is a floor, within [0.25 s, `max`]: some are nonsense (0, 86400, a weekly window), and live traffic tests again. Without
//! one the first rest is `initial`, doubling up to `max` while trials fail. A hint that proves too short grows as well, from its
//! lower bound up to `initial`: then it is worth no more than none. Jitter only adds, so that no one comes before the vendor said and not all come at once.

use std::time::Duration;

use crate::config::CooldownConfig;
use crate::random::Random;

/// No rest is shorter: `Retry-After: 0` must not become a busy loop.
pub(crate) const SHORTEST: Duration = Duration::from_millis(250);
/// The first rest after a refusal for lack of credit, without a hint: money seldom comes within a minute.
const CREDIT_INITIAL: Duration = Duration::from_secs(600);
/// Parts of a thousand by which a rest may be longer.
const JITTER_PERMILLE: u64 = 200;

/// How much a rest is stretched: drawn once per rest, so that many refusals of one moment do not pick the longest of many draws.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Jitter(u32);

impl Jitter {
    pub(crate) fn draw(random: &mut Random) -> Self {
        Self(random.below(JITTER_PERMILLE + 1) as u32)
    }

    pub(crate) fn stretch(self, span: Duration) -> Duration {
        span.saturating_add((span / 1_000).saturating_mul(self.0))
    }
}

/// The span of a rest before jitter. `strikes` counts the trials that failed in a row.
pub(crate) fn span(limits: CooldownConfig, hint: Option<Duration>, credit: bool, strikes: u32) -> Duration {
    let longest = limits.max.max(SHORTEST);
    let base = match hint {
        Some(hint) => {
            let least = doubled(SHORTEST, strikes, limits.initial);
            return hint.max(least).clamp(SHORTEST, longest);
        }
        None if credit => limits.initial.max(CREDIT_INITIAL),
        None => limits.initial,
    };
    doubled(base, strikes, longest).clamp(SHORTEST, longest)
}

fn doubled(base: Duration, strikes: u32, longest: Duration) -> Duration {
    base.saturating_mul(1u32.checked_shl(strikes.min(31)).unwrap_or(u32::MAX))
        .min(longest)
}

#[cfg(test)]
mod tests {
    use super::{Jitter, span};
    use crate::config::CooldownConfig;
    use crate::random::Random;
    use std::time::Duration;

    const LIMITS: CooldownConfig = CooldownConfig {
        initial: Duration::from_secs(60),
        max: Duration::from_secs(900),
    };

    #[test]
    fn spans() {
        let ms = Duration::from_millis;
        let table: [(&str, Option<Duration>, bool, u32, Duration); 15] = [
            ("no hint", None, false, 0, ms(60_000)),
            ("second", None, false, 1, ms(120_000)),
            ("fifth meets the cap", None, false, 4, ms(900_000)),
            ("any later", None, false, u32::MAX, ms(900_000)),
            ("credit", None, true, 0, ms(600_000)),
            ("credit again", None, true, 1, ms(900_000)),
            ("hint", Some(ms(45_000)), false, 0, ms(45_000)),
            ("hint for credit", Some(ms(45_000)), true, 0, ms(45_000)),
            (
                "hint stays while it is longer",
                Some(ms(45_000)),
                false,
                5,
                ms(45_000),
            ),
            ("zero", Some(Duration::ZERO), false, 0, ms(250)),
            ("zero proves too short", Some(Duration::ZERO), false, 3, ms(2_000)),
            ("zero for ever", Some(Duration::ZERO), false, u32::MAX, ms(60_000)),
            ("a day", Some(ms(86_400_000)), false, 0, ms(900_000)),
            ("absurd", Some(Duration::MAX), false, u32::MAX, ms(900_000)),
            ("absurd for credit", Some(Duration::MAX), true, 0, ms(900_000)),
        ];
        for (name, hint, credit, strikes, expected) in table {
            assert_eq!(span(LIMITS, hint, credit, strikes), expected, "{name}");
        }
    }

    #[test]
    fn a_maximum_below_the_shortest_rest_does_not_panic() {
        let limits = CooldownConfig {
            initial: Duration::ZERO,
            max: Duration::ZERO,
        };
        assert_eq!(span(limits, None, false, 0), Duration::from_millis(250));
        assert_eq!(
            span(limits, Some(Duration::from_secs(5)), false, 9),
            Duration::from_millis(250)
        );
    }

    #[test]
    fn jitter_only_adds_up_to_a_fifth() {
        let mut random = Random::new(3);
        let span = Duration::from_secs(45);
        let drawn: Vec<_> = (0..1_000)
            .map(|_| Jitter::draw(&mut random).stretch(span))
            .collect();
        assert!(drawn.iter().all(|d| (span..=Duration::from_secs(54)).contains(d)));
        assert!(drawn.iter().any(|d| *d < Duration::from_secs(46)));
        assert!(drawn.iter().any(|d| *d > Duration::from_secs(53)));
    }
}

//! What one process learns, in another one that hears of it: a rest is as hard there as where it was seen.

use std::time::Duration;

use keypool_balance::verdict::{Advice, Finding, ForeignId};
use keypool_balance::{Advisory, Observation, Time};
use proptest::collection::vec;
use proptest::prelude::{any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};

use crate::world::{World, pool, rate};

const EARLY: Duration = Duration::from_secs(5);

/// All that `from` ever told of rests, as a leader hands it on.
fn hand_on(from: &World, told: &mut Vec<Advisory>, heard: &mut u64) {
    let reports = from.balancer.reports_since(Some(*heard), from.now);
    *heard = reports.sequence;
    told.extend(reports.reports.into_iter().filter_map(|report| {
        let Finding::Cooling {
            scope,
            reason,
            until,
            soft,
        } = report.finding
        else {
            return None;
        };
        let id = ForeignId {
            instance: "from".into(),
            sequence: report.sequence,
        };
        Some(Advisory {
            id,
            provider: report.provider,
            advice: Advice::Cooling {
                scope,
                reason,
                until,
                soft,
            },
        })
    }));
}

#[test]
fn a_hint_that_ends_before_a_computed_rest_makes_it_hard_for_others_too() {
    let (mut from, mut to) = (World::of(pool(&["a"])), World::of(pool(&["a"])));
    let (mut told, mut heard) = (Vec::new(), 0);
    let (first, mut of_first) = from.pick();
    let (second, mut of_second) = from.pick();
    from.settle(&first, rate(None), &mut of_first);
    hand_on(&from, &mut told, &mut heard);
    from.settle(&second, rate(Some(30)), &mut of_second);
    hand_on(&from, &mut told, &mut heard);
    assert_eq!(
        told.len(),
        2,
        "the deadline is the same, and yet it is news: {told:?}"
    );
    to.balancer.apply_advisories(&told, to.now);
    to.secs(29);
    to.refused();
}

proptest! {
    #[test]
    fn an_advised_rest_is_tried_early_exactly_where_its_own_is(
        refusals in vec((0u64..20_000, prop::option::of(5u64..300)), 1..8),
        looks in vec(0u64..30_000, 1..20),
        seed in any::<u64>(),
    ) {
        let (mut from, mut to) = (World::seeded(pool(&["a"]), seed), World::seeded(pool(&["a"]), seed ^ 1));
        let mut sent: Vec<_> = refusals.iter().map(|_| from.pick()).collect();
        let (mut told, mut heard) = (Vec::new(), 0);
        // The vendor's word that reaches farthest; the computed rest is above it by jitter only.
        let mut floor = Time::ZERO;
        for (pause, hint) in &refusals {
            for world in [&mut from, &mut to] {
                world.pass(Duration::from_millis(*pause));
            }
            let (pick, mut attempts) = sent.remove(0);
            from.settle(&pick, rate(*hint), &mut attempts);
            floor = floor.max(hint.map_or(Time::ZERO, |secs| from.now.after(Duration::from_secs(secs))));
            hand_on(&from, &mut told, &mut heard);
            to.balancer.apply_advisories(&told, to.now);
        }
        let hinted = refusals.iter().any(|(_, hint)| hint.is_some());
        let last = to.now;
        let deadline = to.health(0, 0).until;
        for pause in looks {
            to.pass(Duration::from_millis(pause));
            let mut attempts = to.arrive();
            match to.try_pick(&mut attempts) {
                Ok(pick) => {
                    prop_assert!(floor <= to.now, "before the vendor's word");
                    prop_assert!(pick.trial || deadline.is_none());
                    // The trial tells nothing, so that the next look may be one as well.
                    to.settle(&pick, Observation::Cancelled, &mut attempts);
                }
                Err(why) => {
                    prop_assert!(hinted || to.now.since(last) < EARLY, "a computed rest of the last usable key");
                    prop_assert!(why.earliest.is_some_and(|at| at > to.now));
                    if !hinted {
                        prop_assert!(why.earliest.is_some_and(|at| at <= last.after(EARLY)));
                    }
                }
            }
        }
        prop_assert_eq!(told.iter().any(is_hard), hinted);
    }
}

fn is_hard(advisory: &Advisory) -> bool {
    matches!(advisory.advice, Advice::Cooling { soft: false, .. })
}

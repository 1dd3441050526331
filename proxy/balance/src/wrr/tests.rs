//! The bounds of the module's promise, for any weights, seeds and changes.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::Wrr;
use crate::random::Random;

/// How far targets are from their shares, in units of 1/total of a request.
struct Count {
    weights: Vec<u64>,
    served: Vec<u64>,
}

impl Count {
    fn of(weights: &[u64]) -> Self {
        Self {
            weights: weights.to_vec(),
            served: vec![0; weights.len()],
        }
    }

    fn total(&self) -> u64 {
        self.weights.iter().sum()
    }

    /// The largest distance from a share, times `total`.
    fn distance(&self) -> u64 {
        let slots: u64 = self.served.iter().sum();
        let of = |(served, weight): (&u64, &u64)| (served * self.total()).abs_diff(slots * weight);
        self.served.iter().zip(&self.weights).map(of).max().unwrap_or(0)
    }
}

fn weights() -> impl Strategy<Value = Vec<u64>> {
    let small = vec(1u64..=5, 1..12);
    let wide = vec(1u64..=1_000, 1..40);
    let steep = vec((0u32..=20).prop_map(|shift| 1u64 << shift), 1..10);
    proptest::prop_oneof![small, wide, steep]
}

fn targets(weights: &[u64]) -> impl Iterator<Item = (u32, u64)> + Clone {
    weights
        .iter()
        .enumerate()
        .map(|(target, weight)| (target as u32, *weight))
}

fn started(weights: &[u64], random: &mut Random) -> Wrr {
    let mut wrr = Wrr {
        started: true,
        ..Wrr::default()
    };
    wrr.set(targets(weights), random);
    wrr
}

proptest! {
    #[test]
    fn less_than_one_request_from_the_share_since_a_change(weights in weights(), seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let mut wrr = started(&weights, &mut random);
        let mut count = Count::of(&weights);
        for _ in 0..2_000 {
            let target = wrr.pick(&mut random, |_| true).unwrap();
            count.served[target as usize] += 1;
            prop_assert!(count.distance() < count.total());
        }
    }

    #[test]
    fn less_than_two_requests_from_a_random_start(weights in weights(), seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let mut wrr = Wrr::default();
        wrr.set(targets(&weights), &mut random);
        let mut count = Count::of(&weights);
        for _ in 0..2_000 {
            let target = wrr.pick(&mut random, |_| true).unwrap();
            count.served[target as usize] += 1;
            prop_assert!(count.distance() < 2 * count.total());
        }
    }

    #[test]
    fn a_filtered_pick_is_allowed_and_never_fails(
        weights in weights(),
        seed in any::<u64>(),
        masks in vec(any::<u64>(), 300),
    ) {
        let mut random = Random::new(seed);
        let mut wrr = started(&weights, &mut random);
        for mask in masks {
            let allowed = |target: u32| mask >> (target % 64) & 1 == 1;
            let any = (0..weights.len() as u32).any(allowed);
            let picked = wrr.pick(&mut random, allowed);
            prop_assert_eq!(picked.is_some(), any);
            prop_assert!(picked.is_none_or(allowed));
        }
        // Nothing was lost from the heaps on the way.
        for target in 0..weights.len() as u32 {
            prop_assert_eq!(wrr.pick(&mut random, |other| other == target), Some(target));
        }
    }

    #[test]
    fn a_set_that_changes_all_the_time_still_serves_by_weight(seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let mut wrr = started(&[3, 1], &mut random);
        let mut light = 0;
        for round in 0..4_000u64 {
            // The third target comes and goes and is never chosen.
            let third = round % 2;
            wrr.set(targets(&[3, 1]).chain((0..third).map(|_| (2, 1))), &mut random);
            light += u32::from(wrr.pick(&mut random, |target| target != 2) == Some(1));
        }
        // 1,000 by weight, and 900 with the third one's turns, give or take 26; the earliest deadline alone would give 0.
        prop_assert!((700..=1_100).contains(&light), "{}", light);
    }

    #[test]
    fn list_order_decides_nothing(seed in any::<u64>()) {
        let first = |order: [u32; 4]| {
            let mut counts = [0u32; 4];
            let mut random = Random::new(seed);
            for _ in 0..2_000 {
                let mut wrr = Wrr::default();
                wrr.set(order.iter().map(|target| (*target, 1)), &mut random);
                counts[wrr.pick(&mut random, |_| true).unwrap() as usize] += 1;
            }
            counts
        };
        for counts in [first([0, 1, 2, 3]), first([3, 2, 1, 0])] {
            prop_assert!(counts.iter().all(|count| (380..=620).contains(count)), "{:?}", counts);
        }
    }
}

#[test]
fn what_does_not_change_keeps_its_turn() {
    let mut random = Random::new(7);
    let mut wrr = started(&[1, 1, 1], &mut random);
    let mut seen = Vec::new();
    for _ in 0..3 {
        wrr.set(targets(&[1, 1, 1]), &mut random);
        seen.push(wrr.pick(&mut random, |_| true).unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2]);
}

#[test]
fn none_of_nothing() {
    let mut random = Random::new(1);
    let mut wrr = Wrr::default();
    wrr.set(std::iter::empty(), &mut random);
    assert_eq!(wrr.pick(&mut random, |_| true), None);
    assert_eq!(Wrr::default().pick(&mut random, |_| true), None);
}

//! What holds for every history of answers.

use keypool_contract::verdict::{CoolingReason, EndpointState, Finding, Scope};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::test_runner::Config;
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::super::{Held, Ledger};
use super::{P, id, response, scope};
use crate::moment::tests::at;

const VALUES: [&str; 3] = ["f", "g", "h"];

/// One thing that pod `pod` says at second `at`.
#[derive(Clone, Debug)]
struct Said {
    pod: usize,
    at: i64,
    finding: Finding,
}

fn fingerprint() -> impl Strategy<Value = String> {
    prop::sample::select(&VALUES[..]).prop_map(str::to_owned)
}

fn rest_scope() -> impl Strategy<Value = Scope> {
    (
        fingerprint(),
        any::<bool>(),
        prop::option::of(prop::sample::select(&["m", "n"][..])),
    )
        .prop_map(|(fingerprint, quota_group, model)| Scope {
            fingerprint,
            quota_group,
            model: model.map(str::to_owned),
        })
}

fn finding(refutes: bool) -> impl Strategy<Value = Finding> {
    let ids = prop::collection::vec((0..4_usize, 1..12_u64), 1..4);
    let refuted = ids.prop_map(|ids| Finding::Refuted {
        verdicts: ids
            .into_iter()
            .map(|(pod, number)| id(&format!("pod{pod}"), number))
            .collect(),
    });
    prop_oneof![
        4 => (rest_scope(), 0..900_000_u64, any::<bool>()).prop_map(|(scope, remaining_ms, soft)| Finding::Cooling {
            scope,
            reason: CoolingReason::RateLimited,
            remaining_ms,
            soft,
        }),
        1 => (rest_scope(), 0..900_000_u64)
            .prop_map(|(scope, remaining_ms)| Finding::Exhausted { scope, remaining_ms }),
        1 => fingerprint().prop_map(|fingerprint| Finding::Invalid { fingerprint }),
        1 => fingerprint().prop_map(|fingerprint| Finding::Proven { fingerprint }),
        1 => Just(Finding::Endpoint { state: EndpointState::Refused }),
        u32::from(refutes) * 2 => refuted,
    ]
}

fn history(refutes: bool) -> impl Strategy<Value = Vec<Said>> {
    let said =
        (0..4_usize, 0..600_i64, finding(refutes)).prop_map(|(pod, at, finding)| Said { pod, at, finding });
    prop::collection::vec(said, 0..24).prop_map(|mut all| {
        all.sort_by_key(|said| said.at);
        all
    })
}

/// Every pod numbers what it says.
fn answers(history: &[Said]) -> Vec<(i64, keypool_contract::exchange::ExchangeResponse)> {
    let mut numbers = [0; 4];
    history
        .iter()
        .map(|said| {
            numbers[said.pod] += 1;
            let findings = vec![(numbers[said.pod], said.finding.clone())];
            (said.at, response(&format!("pod{}", said.pod), false, findings))
        })
        .collect()
}

/// What is held against each value and model, with its end.
fn everything(ledger: &Ledger, now: i64) -> Vec<(String, Option<String>, Held, Option<i64>)> {
    let mates: Vec<&str> = VALUES.to_vec();
    VALUES
        .iter()
        .flat_map(|fingerprint| {
            let standing = ledger.standing(P, fingerprint, &mates, at(now).monotonic);
            standing.holds.into_iter().map(|hold| {
                (
                    (*fingerprint).to_owned(),
                    hold.model,
                    hold.held,
                    hold.until.map(|until| until.0),
                )
            })
        })
        .collect()
}

fn document() -> super::DocumentScope {
    scope(&VALUES.map(|value| (value, Some("org"))))
}

proptest! {
    #![proptest_config(Config { cases: 256, failure_persistence: None, ..Config::default() })]

    #[test]
    fn an_answer_that_comes_twice_changes_nothing(history in history(true)) {
        let scope = document();
        let (mut once, mut twice) = (Ledger::default(), Ledger::default());
        for (second, answer) in answers(&history) {
            once.receive(&scope, &answer, at(second));
            twice.receive(&scope, &answer, at(second));
            let again = twice.receive(&scope, &answer, at(second));
            prop_assert!(again.changed.is_empty());
        }
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn without_refutation_no_deadline_moves_earlier(history in history(false)) {
        let scope = document();
        let mut ledger = Ledger::default();
        for (second, answer) in answers(&history) {
            let before = everything(&ledger, second);
            ledger.receive(&scope, &answer, at(second));
            let after = everything(&ledger, second);
            for (fingerprint, model, held, until) in before {
                let now = after.iter().find(|(f, m, ..)| *f == fingerprint && *m == model);
                let graver_or_later = now.is_some_and(|(.., held_now, until_now)| {
                    (*held_now, until_now.unwrap_or(i64::MAX)) >= (held, until.unwrap_or(i64::MAX)) || *held_now > held
                });
                prop_assert!(graver_or_later, "{} {:?}: {:?} then {:?}", fingerprint, model, (held, until), now);
            }
        }
    }

    #[test]
    fn the_order_in_which_pods_are_heard_does_not_matter(
        history in history(true),
        order in prop::collection::vec(any::<u32>(), 24),
    ) {
        // All at one second, so that only the order differs.
        let scope = document();
        let all = answers(&history);
        let mut shuffled: Vec<_> = all.iter().zip(&order).collect();
        shuffled.sort_by_key(|(_, key)| **key);
        let (mut straight, mut mixed) = (Ledger::default(), Ledger::default());
        for (_, answer) in &all {
            straight.receive(&scope, answer, at(0));
        }
        for ((_, answer), _) in shuffled {
            mixed.receive(&scope, answer, at(0));
        }
        for second in [0, 60, 300, 1000] {
            prop_assert_eq!(everything(&straight, second), everything(&mixed, second));
        }
        let told = |ledger: &Ledger| ledger.advisories_for("new", &scope, at(0)).to_wire(at(0));
        prop_assert_eq!(told(&straight), told(&mixed));
    }

    #[test]
    fn nobody_is_told_of_his_own_verdicts_or_of_what_is_over(history in history(true), second in 0..1200_i64) {
        let scope = document();
        let mut ledger = Ledger::default();
        for (second, answer) in answers(&history) {
            ledger.receive(&scope, &answer, at(second));
        }
        for pod in 0..4 {
            let instance = format!("pod{pod}");
            for advisory in ledger.advisories_for(&instance, &scope, at(second)).to_wire(at(second)) {
                prop_assert!(advisory.id.instance != instance);
                if let Finding::Cooling { remaining_ms, .. } | Finding::Exhausted { remaining_ms, .. } = advisory.finding {
                    prop_assert!(remaining_ms > 0);
                }
            }
        }
    }
}

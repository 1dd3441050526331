//! What others are told.

use keypool_contract::verdict::{CoolingReason, Finding};

use super::super::{DocumentScope, Ledger};
use super::{cooling, id, invalid, refuted, response, scope, whole};
use crate::moment::tests::at;

#[test]
fn others_are_told_of_auth_credit_and_rests_that_are_worth_it() {
    let scope = scope(&[("f", None)]);
    let rest = |reason, seconds: u64| Finding::Cooling {
        scope: whole("f"),
        reason,
        remaining_ms: seconds * 1000,
        soft: false,
    };
    let soft = |rest| match rest {
        Finding::Cooling {
            scope,
            reason,
            remaining_ms,
            ..
        } => Finding::Cooling {
            scope,
            reason,
            remaining_ms,
            soft: true,
        },
        other => other,
    };
    for (finding, told) in [
        (rest(CoolingReason::RateLimited, 5), true),
        (rest(CoolingReason::RateLimited, 4), false),
        (soft(rest(CoolingReason::RateLimited, 60)), true),
        (soft(rest(CoolingReason::Refused, 60)), true),
        (rest(CoolingReason::Refused, 60), true),
        (invalid("f"), true),
        (
            Finding::Exhausted {
                scope: whole("f"),
                remaining_ms: 1000,
            },
            true,
        ),
    ] {
        let mut ledger = Ledger::default();
        ledger.receive(&scope, &response("a", false, vec![(1, finding.clone())]), at(0));
        let others = ledger.advisories_for("b", &scope, at(0));
        let handed_on: Vec<Finding> = others.to_wire(at(0)).into_iter().map(|a| a.finding).collect();
        assert_eq!(
            handed_on,
            Vec::from_iter(told.then_some(finding)),
            "as it was said"
        );
        assert!(
            ledger.advisories_for("a", &scope, at(0)).is_empty(),
            "never back to its maker"
        );
        assert!(
            ledger
                .advisories_for("b", &DocumentScope::default(), at(0))
                .is_empty()
        );
    }
}

#[test]
fn what_was_told_stays_told_to_its_end_and_travels_with_what_remains() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None)]));
    ledger.receive(&scope, &response("a", false, vec![(1, cooling("f", 45))]), at(0));
    let first = ledger.advisories_for("b", &scope, at(0));
    let late = ledger.advisories_for("b", &scope, at(43));
    assert_eq!(first, late);
    let wire = late.to_wire(at(43));
    assert_eq!(wire[0].id, id("a", 1));
    assert_eq!(wire[0].finding, cooling("f", 2));
    let over = ledger.advisories_for("b", &scope, at(45));
    assert!(
        over.is_empty() && over.known_from(&first),
        "an end by itself is no news"
    );
    ledger.receive(
        &scope,
        &response("b", false, vec![(1, refuted(&[id("a", 1)]))]),
        at(10),
    );
    let cleared = ledger.advisories_for("c", &scope, at(10));
    assert!(
        cleared.is_empty() && !cleared.known_from(&first),
        "an early end is"
    );
    assert!(!first.known_from(&over));
}

#[test]
fn many_pods_with_one_limit_do_not_fill_every_exchange() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None)]));
    for pod in 0..50 {
        let findings = vec![(1, cooling("f", 30 + pod))];
        ledger.receive(&scope, &response(&format!("pod{pod}"), false, findings), at(0));
    }
    let told = ledger.advisories_for("new", &scope, at(0)).to_wire(at(0));
    assert_eq!(told.len(), 8);
    assert!(told.iter().any(|advisory| advisory.finding == cooling("f", 79)));
}

#[test]
fn a_pod_is_told_no_more_than_its_exchange_takes_and_the_gravest_of_everything_first() {
    let values: Vec<String> = (0..200).map(|value| format!("f{value}")).collect();
    let named: Vec<_> = values.iter().map(|value| (value.as_str(), None)).collect();
    let (mut ledger, scope) = (Ledger::default(), scope(&named));
    for pod in 0..8 {
        let findings = values.iter().zip(1..).map(|(value, sequence)| match pod {
            0 if sequence > 100 => (sequence, invalid(value)),
            _ => (sequence, cooling(value, 30 + sequence + pod)),
        });
        let answer = response(&format!("pod{pod}"), false, findings.collect());
        ledger.receive(&scope, &answer, at(0));
    }
    let told = ledger.advisories_for("new", &scope, at(0)).to_wire(at(0));
    assert_eq!(told.len(), 1_024, "of 1600");
    for value in &values {
        let of = |finding: &Finding| match finding {
            Finding::Invalid { fingerprint } => fingerprint == value,
            Finding::Cooling { scope, .. } => scope.fingerprint == *value,
            _ => false,
        };
        assert!(
            told.iter().filter(|told| of(&told.finding)).count() >= 5,
            "{value}"
        );
    }
    let dead = told
        .iter()
        .filter(|told| matches!(told.finding, Finding::Invalid { .. }));
    assert_eq!(dead.count(), 100);
}

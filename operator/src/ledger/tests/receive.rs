//! What pods say, and what stands then.

use keypool_contract::verdict::{Finding, Scope};

use super::super::{Held, Ledger, Proof};
use super::{P, RATE, cooling, held, id, invalid, proven, refuted, response, scope, whole};
use crate::moment::tests::at;

#[test]
fn the_latest_deadline_holds_and_ends_by_itself() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None)]));
    ledger.receive(&scope, &response("a", false, vec![(1, cooling("f", 45))]), at(0));
    ledger.receive(&scope, &response("b", false, vec![(1, cooling("f", 20))]), at(1));
    assert_eq!(held(&ledger, "f", at(1)), Some((RATE, Some(44))));
    ledger.receive(&scope, &response("c", false, vec![(1, cooling("f", 30))]), at(20));
    assert_eq!(
        held(&ledger, "f", at(20)),
        Some((RATE, Some(30))),
        "a shorter rest that ends later"
    );
    assert_eq!(held(&ledger, "f", at(49)), Some((RATE, Some(1))));
    assert_eq!(held(&ledger, "f", at(50)), None);
    let proof = ledger.standing(P, "f", &[], at(50).monotonic).proof;
    assert_eq!(proof, Proof::CooldownOver { at: at(50).monotonic });
}

#[test]
fn a_rest_too_short_to_be_told_leaves_no_trace() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None)]));
    ledger.receive(&scope, &response("a", false, vec![(1, cooling("f", 9))]), at(0));
    assert_eq!(ledger.standing(P, "f", &[], at(9).monotonic).proof, Proof::None);
}

#[test]
fn a_refutation_clears_what_it_names_and_nothing_else() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None)]));
    ledger.receive(&scope, &response("a", false, vec![(1, cooling("f", 45))]), at(0));
    ledger.receive(&scope, &response("b", false, vec![(7, cooling("f", 20))]), at(0));
    ledger.receive(&scope, &response("c", false, vec![(3, proven("f"))]), at(1));
    assert_eq!(
        held(&ledger, "f", at(1)),
        Some((RATE, Some(44))),
        "a proof clears nothing"
    );
    ledger.receive(
        &scope,
        &response("c", false, vec![(4, refuted(&[id("a", 1)]))]),
        at(2),
    );
    assert_eq!(held(&ledger, "f", at(2)), Some((RATE, Some(18))));
    ledger.receive(
        &scope,
        &response("c", false, vec![(5, refuted(&[id("b", 7)]))]),
        at(3),
    );
    assert_eq!(held(&ledger, "f", at(3)), None);
    assert_eq!(
        ledger.standing(P, "f", &[], at(3).monotonic).proof,
        Proof::Proven { at: at(3).monotonic }
    );
    ledger.receive(&scope, &response("a", true, vec![(1, cooling("f", 40))]), at(5));
    assert_eq!(
        held(&ledger, "f", at(5)),
        None,
        "what was refuted does not come back"
    );
}

#[test]
fn invalid_has_no_end_and_outlives_its_pod() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None), ("g", None)]));
    ledger.receive(
        &scope,
        &response("a", false, vec![(1, invalid("f")), (2, cooling("f", 900))]),
        at(0),
    );
    ledger.keep_instances(&["b".to_owned()].into());
    assert_eq!(held(&ledger, "f", at(86_400)), Some((Held::Invalid, None)));
    let told = ledger.advisories_for("b", &scope, at(1)).to_wire(at(1));
    assert_eq!(told.len(), 2);
    ledger.keep(&[(P.to_owned(), Some(["g".to_owned()].into()))].into());
    assert_eq!(held(&ledger, "f", at(1)), None, "a new value starts fresh");
}

#[test]
fn values_that_are_away_for_a_moment_are_not_forgotten() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None)]));
    ledger.receive(&scope, &response("a", false, vec![(1, invalid("f"))]), at(0));
    ledger.keep(&[(P.to_owned(), None)].into());
    assert!(held(&ledger, "f", at(1)).is_some());
    ledger.keep(&[].into());
    assert_eq!(
        ledger,
        Ledger {
            received: [("a".to_owned(), 1)].into(),
            ..Ledger::default()
        }
    );
}

#[test]
fn a_pod_is_believed_only_about_its_own_document_and_in_its_own_name() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None)]));
    let mut answer = response(
        "a",
        false,
        vec![(1, invalid("other")), (2, invalid("f")), (3, cooling("f", 60))],
    );
    answer.verdicts[1].provider = "uid-q".into();
    answer.verdicts[2].id.instance = "b".into();
    let received = ledger.receive(&scope, &answer, at(0));
    assert_eq!((received.dropped, received.changed.len()), (3, 0));
    assert_eq!(held(&ledger, "f", at(0)), None);
    let elsewhere = response("a", false, vec![(4, refuted(&[id("x", 1)]))]);
    let mut foreign = elsewhere.clone();
    foreign.verdicts[0].provider = "uid-q".into();
    assert_eq!(ledger.receive(&scope, &foreign, at(0)).dropped, 1);
}

#[test]
fn a_snapshot_clears_what_its_maker_no_longer_holds() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None), ("g", None)]));
    ledger.receive(
        &scope,
        &response("a", false, vec![(1, invalid("f")), (2, cooling("g", 60))]),
        at(0),
    );
    ledger.receive(&scope, &response("b", false, vec![(1, cooling("g", 30))]), at(0));
    ledger.receive(&scope, &response("a", true, vec![(3, proven("f"))]), at(1));
    assert_eq!(held(&ledger, "f", at(1)), None);
    assert_eq!(
        held(&ledger, "g", at(1)),
        Some((RATE, Some(29))),
        "the other pod's stands"
    );
}

#[test]
fn a_quota_group_rests_together_and_nothing_beyond_it() {
    let values = [("f", Some("org")), ("g", Some("org")), ("h", None)];
    let (mut ledger, scope) = (Ledger::default(), scope(&values));
    let finding = Finding::Exhausted {
        scope: Scope {
            quota_group: true,
            ..whole("f")
        },
        remaining_ms: 600_000,
    };
    ledger.receive(&scope, &response("a", false, vec![(1, finding)]), at(0));
    let mates = ["f", "g"];
    for (fingerprint, mates, rests) in [("f", &mates[..], 1), ("g", &mates, 1), ("h", &[], 0)] {
        assert_eq!(
            ledger
                .standing(P, fingerprint, mates, at(1).monotonic)
                .holds
                .len(),
            rests,
            "{fingerprint}"
        );
    }
}

#[test]
fn an_exhausted_key_stays_so_until_its_trial_is_decided() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None)]));
    let finding = Finding::Exhausted {
        scope: whole("f"),
        remaining_ms: 600_000,
    };
    ledger.receive(&scope, &response("a", false, vec![(1, finding)]), at(0));
    assert_eq!(
        held(&ledger, "f", at(630)).map(|(held, _)| held),
        Some(Held::Exhausted)
    );
    assert!(
        ledger.advisories_for("b", &scope, at(600)).is_empty(),
        "a pod may try at the deadline"
    );
    assert_eq!(held(&ledger, "f", at(660)), None);
    assert_eq!(ledger.next_change(P, at(0).monotonic), Some(at(660).monotonic));
}

#[test]
fn a_pod_confirms_by_its_own_numbers() {
    let (mut ledger, scope) = (Ledger::default(), scope(&[("f", None)]));
    assert_eq!(ledger.confirmed("a"), 0);
    ledger.receive(&scope, &response("a", false, vec![(7, proven("f"))]), at(0));
    ledger.receive(&scope, &response("a", false, vec![(3, proven("f"))]), at(0));
    assert_eq!(ledger.confirmed("a"), 7);
    ledger.keep_instances(&["b".to_owned()].into());
    assert_eq!(ledger.confirmed("a"), 0);
}

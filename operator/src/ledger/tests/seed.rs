//! What a new leader takes over.

use keypool_contract::verdict::Finding;
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus};

use super::super::{Held, Ledger};
use super::{P, RATE, cooling, held, id, proven, refuted, response, scope};
use crate::moment::tests::at;

fn stored(state: KeyState, reason: KeyReason, since: i64, until: Option<i64>) -> KeyStatus {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    KeyStatus {
        name: "c0".into(),
        state,
        reason,
        since: Some(Time(at(since).wall)),
        until: until.map(|until| Time(at(until).wall)),
        fingerprint: Some("f".into()),
        quota_group: None,
        models: Vec::new(),
        more_models: None,
    }
}

#[test]
fn a_new_leader_believes_the_stored_status_about_the_same_value() {
    for (status, want) in [
        (
            stored(KeyState::Invalid, KeyReason::RefusedByProvider, -600, None),
            Some((Held::Invalid, None)),
        ),
        (
            stored(KeyState::CoolingDown, KeyReason::RateLimited, -5, Some(45)),
            Some((RATE, Some(45))),
        ),
        (
            stored(KeyState::Exhausted, KeyReason::CreditExhausted, -5, Some(300)),
            Some((Held::Exhausted, Some(300))),
        ),
        (
            stored(KeyState::CoolingDown, KeyReason::RateLimited, -60, Some(0)),
            None,
        ),
        (stored(KeyState::Healthy, KeyReason::Proven, -60, None), None),
    ] {
        let mut ledger = Ledger::default();
        ledger.seed(P, std::slice::from_ref(&status), |f| f == "f", at(0));
        assert_eq!(held(&ledger, "f", at(0)), want, "{status:?}");
        let mut other_value = Ledger::default();
        other_value.seed(P, &[status], |f| f == "g", at(0));
        assert_eq!(other_value, Ledger::default());
    }
}

#[test]
fn a_seeded_verdict_is_handed_on_and_gives_way_to_the_true_one() {
    let scope = scope(&[("f", None)]);
    let mut ledger = Ledger::default();
    ledger.seed(
        P,
        &[stored(
            KeyState::CoolingDown,
            KeyReason::RateLimited,
            -5,
            Some(43),
        )],
        |_| true,
        at(0),
    );
    let told = ledger.advisories_for("b", &scope, at(0)).to_wire(at(0));
    assert_eq!(told[0].id.instance, "status");
    assert!(
        matches!(told[0].finding, Finding::Cooling { soft: false, .. }),
        "the vendor may have asked for it"
    );
    let mut next_leader = Ledger::default();
    next_leader.seed(
        P,
        &[stored(
            KeyState::CoolingDown,
            KeyReason::RateLimited,
            -5,
            Some(43),
        )],
        |_| true,
        at(9),
    );
    let again = next_leader.advisories_for("b", &scope, at(9)).to_wire(at(9));
    assert_eq!(again[0].id, told[0].id, "every leader gives it the same name");
    // The status rounds up: the pod knows better when it ends.
    ledger.receive(&scope, &response("a", true, vec![(9, cooling("f", 35))]), at(0));
    assert_eq!(held(&ledger, "f", at(0)), Some((RATE, Some(35))));
    ledger.receive(
        &scope,
        &response("a", false, vec![(10, refuted(&[id("a", 9)]))]),
        at(1),
    );
    assert_eq!(
        held(&ledger, "f", at(1)),
        None,
        "and nothing of the seed is left behind"
    );
}

#[test]
fn a_pod_that_proved_the_value_later_refutes_the_stored_status() {
    let scope = scope(&[("f", None)]);
    // Stored for a minute when the leader begins, and heard of a second later. A pod that proved it before that and never since knows
    // nothing of the verdict; one that freed it tells the moment when it did.
    for (age, snapshot, stands) in [
        (60_900, true, false),
        (61_000, true, true),
        (3_600_000, true, true),
        (0, false, true),
    ] {
        let mut ledger = Ledger::default();
        ledger.seed(
            P,
            &[stored(KeyState::Invalid, KeyReason::RefusedByProvider, -60, None)],
            |_| true,
            at(0),
        );
        let mut answer = response("a", snapshot, vec![(1, proven("f"))]);
        answer.verdicts[0].age_ms = age;
        ledger.receive(&scope, &answer, at(1));
        assert_eq!(held(&ledger, "f", at(1)).is_some(), stands, "{age} {snapshot}");
    }
}

/// A provider may become readable long after its pods were first heard.
#[test]
fn a_late_leader_believes_no_status_that_pods_have_refuted() {
    let scope = scope(&[("f", None)]);
    let invalid = stored(KeyState::Invalid, KeyReason::RefusedByProvider, -60, None);
    let seed = |ledger: &mut Ledger| ledger.seed(P, std::slice::from_ref(&invalid), |_| true, at(2));
    for (age, stands) in [(0, false), (100_000, true)] {
        let mut ledger = Ledger::default();
        let mut answer = response("a", true, vec![(1, proven("f"))]);
        answer.verdicts[0].age_ms = age;
        ledger.receive(&scope, &answer, at(1));
        seed(&mut ledger);
        assert_eq!(held(&ledger, "f", at(2)).is_some(), stands, "proven {age} ms ago");
    }
    let mut before = Ledger::default();
    seed(&mut before);
    let told = before.advisories_for("a", &scope, at(2)).to_wire(at(2));
    let mut refutation = response("a", false, vec![(1, refuted(&[told[0].id.clone()]))]);
    // It was sent long ago, and its id is what counts.
    refutation.verdicts[0].age_ms = 100_000;
    let mut ledger = Ledger::default();
    ledger.receive(&scope, &refutation, at(1));
    seed(&mut ledger);
    assert_eq!(held(&ledger, "f", at(2)), None);
}

#[test]
fn a_pod_that_refuted_a_verdict_while_nobody_heard_it_tells_it_in_its_snapshot() {
    let scope = scope(&[("f", None)]);
    let mut ledger = Ledger::default();
    let status = stored(KeyState::Invalid, KeyReason::RefusedByProvider, -60, None);
    ledger.seed(P, &[status], |_| true, at(0));
    ledger.receive(
        &scope,
        &response("a", true, vec![(5, super::invalid("f"))]),
        at(1),
    );
    // The maker is gone, and the other pod's exchange was broken when it found the key mended.
    let snapshot = response("b", true, vec![(7, refuted(&[id("a", 5)]))]);
    ledger.receive(&scope, &snapshot, at(2));
    assert_eq!(held(&ledger, "f", at(2)), None);
}

#[test]
fn rests_of_single_models_are_taken_over_too() {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    let rest = keypool_crds::v1alpha1::KeyModelStatus {
        name: "m".into(),
        state: KeyState::CoolingDown,
        reason: KeyReason::RateLimited,
        until: Some(Time(at(43).wall)),
    };
    let usable = KeyStatus {
        models: vec![rest.clone()],
        ..stored(KeyState::Healthy, KeyReason::Proven, -600, None)
    };
    let scope = scope(&[("f", None)]);
    let models = |ledger: &Ledger| -> Vec<Option<String>> {
        ledger
            .standing(P, "f", &[], at(1).monotonic)
            .holds
            .into_iter()
            .map(|hold| hold.model)
            .collect()
    };
    let mut ledger = Ledger::default();
    ledger.seed(P, &[usable], |_| true, at(0));
    let mut old_proof = response("a", true, vec![(1, proven("f"))]);
    old_proof.verdicts[0].age_ms = 60_000;
    ledger.receive(&scope, &old_proof, at(1));
    assert_eq!(
        models(&ledger),
        [Some("m".into())],
        "the proof is older than the rest may be"
    );

    let resting = stored(KeyState::CoolingDown, KeyReason::RateLimited, -5, Some(43));
    for (more_models, want) in [
        (None, vec![Some("m".into())]),
        (Some(3), vec![None, Some("m".into())]),
    ] {
        let mut ledger = Ledger::default();
        let status = KeyStatus {
            models: vec![rest.clone()],
            more_models,
            ..resting.clone()
        };
        ledger.seed(P, &[status], |_| true, at(0));
        assert_eq!(models(&ledger), want);
    }
}

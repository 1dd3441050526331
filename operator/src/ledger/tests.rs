use std::time::Duration;

use keypool_contract::document::{Content, Cooldown, Credential, Document, Probe, Provider, Timeouts};
use keypool_contract::exchange::{Acknowledgement, ExchangeResponse};
use keypool_contract::verdict::{CoolingReason, EndpointState, Finding, Scope, Verdict, VerdictId};
use keypool_contract::{ProviderType, Salt};
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus};

use super::{DocumentScope, Held, Ledger, Proof};
use crate::moment::Moment;
use crate::moment::tests::at;

mod properties;

const P: &str = "uid-p";

/// A document of one provider with values `(fingerprint, quota group)`.
fn scope(values: &[(&str, Option<&str>)]) -> DocumentScope {
    let credential = |(index, (fingerprint, group)): (usize, &(&str, Option<&str>))| Credential {
        name: format!("c{index}"),
        fingerprint: (*fingerprint).into(),
        key: None,
        weight: 1,
        priority: 0,
        enabled: true,
        quota_group: group.map(str::to_owned),
        models: Vec::new(),
        headers: Vec::new(),
    };
    let provider = Provider {
        namespace: "team".into(),
        name: "p".into(),
        provider_type: ProviderType::OpenAI,
        url: "https://api.openai.com/v1".into(),
        ca_bundle: None,
        headers: Vec::new(),
        credentials: values.iter().enumerate().map(credential).collect(),
        probe: Probe {
            enabled: true,
            interval_ms: 1,
            timeout_ms: 1,
        },
        cooldown: Cooldown {
            initial_ms: 1,
            max_ms: 1,
        },
        timeouts: Timeouts {
            connect_ms: 1,
            first_event_ms: 1,
            response_ms: 1,
            idle_ms: 1,
        },
    };
    let content = Content {
        salt: Salt(String::new()),
        providers: [(P.to_owned(), provider)].into(),
        groups: Vec::new(),
    };
    DocumentScope::of(&Document::new("l".into(), 1, content))
}

fn id(instance: &str, sequence: u64) -> VerdictId {
    VerdictId {
        instance: instance.into(),
        sequence,
    }
}

fn response(instance: &str, snapshot: bool, findings: Vec<(u64, Finding)>) -> ExchangeResponse {
    ExchangeResponse {
        instance: instance.into(),
        acknowledgement: Acknowledgement::default(),
        snapshot,
        sequence: findings.iter().map(|(sequence, _)| *sequence).max().unwrap_or(0),
        verdicts: findings
            .into_iter()
            .map(|(sequence, finding)| Verdict {
                id: id(instance, sequence),
                provider: P.into(),
                finding,
                age_ms: 0,
            })
            .collect(),
    }
}

fn cooling(fingerprint: &str, seconds: u64) -> Finding {
    Finding::Cooling {
        scope: whole(fingerprint),
        reason: CoolingReason::RateLimited,
        remaining_ms: seconds * 1000,
        soft: false,
    }
}

fn whole(fingerprint: &str) -> Scope {
    Scope {
        fingerprint: fingerprint.into(),
        quota_group: false,
        model: None,
    }
}

fn invalid(fingerprint: &str) -> Finding {
    Finding::Invalid {
        fingerprint: fingerprint.into(),
    }
}

fn refuted(ids: &[VerdictId]) -> Finding {
    Finding::Refuted {
        verdicts: ids.to_vec(),
    }
}

fn proven(fingerprint: &str) -> Finding {
    Finding::Proven {
        fingerprint: fingerprint.into(),
    }
}

/// What is held against a value, as (state, seconds that remain).
fn held(ledger: &Ledger, fingerprint: &str, now: Moment) -> Option<(Held, Option<i64>)> {
    let holds = ledger.standing(P, fingerprint, &[], now.monotonic).holds;
    let whole = holds.into_iter().find(|hold| hold.model.is_none())?;
    Some((
        whole.held,
        whole.until.map(|until| (until.0 - now.monotonic.0) / 1000),
    ))
}

const RATE: Held = Held::Cooling(CoolingReason::RateLimited);

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
        (rest(CoolingReason::Overloaded, 60), false),
        (rest(CoolingReason::ProviderFault, 60), false),
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
fn the_endpoint_is_reached_when_one_that_tried_lately_reached_it() {
    let say = |state| Finding::Endpoint { state };
    let scope = scope(&[("f", None)]);
    let mut ledger = Ledger::default();
    assert_eq!(ledger.endpoint(P, at(0).monotonic), None);
    ledger.receive(
        &scope,
        &response("a", false, vec![(1, say(EndpointState::Reachable))]),
        at(0),
    );
    ledger.receive(
        &scope,
        &response("b", false, vec![(1, say(EndpointState::Refused))]),
        at(30),
    );
    assert_eq!(
        ledger.endpoint(P, at(60).monotonic),
        Some(EndpointState::Reachable)
    );
    assert_eq!(
        ledger.next_change(P, at(60).monotonic),
        Some(at(60).monotonic + Duration::from_millis(1))
    );
    assert_eq!(
        ledger.endpoint(P, at(61).monotonic),
        Some(EndpointState::Refused),
        "a no longer tries"
    );
    assert_eq!(
        ledger.endpoint(P, at(999).monotonic),
        Some(EndpointState::Refused),
        "silence changes nothing"
    );
    ledger.keep_instances(&["c".to_owned()].into());
    assert_eq!(
        ledger.endpoint(P, at(999).monotonic),
        Some(EndpointState::Refused)
    );
    ledger.receive(
        &scope,
        &response("c", false, vec![(1, say(EndpointState::TlsInvalid))]),
        at(1000),
    );
    ledger.keep_instances(&["c".to_owned()].into());
    assert_eq!(
        ledger.endpoint(P, at(1000).monotonic),
        Some(EndpointState::TlsInvalid)
    );
}

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
    for (age, snapshot, stands) in [(0, true, false), (100_000, true, true), (0, false, true)] {
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

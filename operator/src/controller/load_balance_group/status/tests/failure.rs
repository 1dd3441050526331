use keypool_crds::v1alpha1::shared::{PAUSED, RECONCILE_REQUESTED_AT};

use super::{Case, Check, ConditionType, Failure, NO, Reason, YES, at, pod};

const ACCEPTED: ConditionType = ConditionType::Accepted;
const PROGRAMMED: ConditionType = ConditionType::Programmed;
const READY: ConditionType = ConditionType::Ready;
const RECONCILING: ConditionType = ConditionType::Reconciling;

fn failure(kind: &'static str, code: u16, text: &str) -> Failure {
    Failure {
        kind,
        name: "chat-keypool".into(),
        operation: "applied",
        code,
        text: text.into(),
        since: at(0).monotonic,
    }
}

#[test]
fn a_deployment_that_the_api_server_finds_wrong_is_an_invalid_spec() {
    let mut case = Case::new();
    case.store(at(0));
    case.edit(0);
    case.fleet.pods = vec![pod("a", 4, 0), pod("b", 4, 0)];
    case.failure = Some(failure(
        "Deployment",
        422,
        "requests must be less than or equal to cpu limit",
    ));
    for kind in [ACCEPTED, READY] {
        assert_eq!(case.word(kind, at(1)), (NO, Reason::InvalidSpec));
    }
    assert_eq!(case.word(PROGRAMMED, at(1)).0, NO);
    assert_eq!(
        case.word(ConditionType::Stalled, at(1)),
        (YES, Reason::InvalidSpec)
    );
    assert_eq!(
        case.check(READY, at(1)).unwrap().message,
        "Deployment chat-keypool could not be applied (status 422: requests must be less than or equal to cpu limit); correct in spec.proxy what it names; the proxies keep what they have until then."
    );
    case.failure = Some(failure("Service", 422, "ours to mend"));
    assert_eq!(case.word(ACCEPTED, at(1)), (YES, Reason::Accepted));
}

#[test]
fn a_decision_of_the_api_server_is_told_at_once_and_unsets_ready_in_time() {
    let mut case = Case::new();
    case.store(at(0));
    case.failure = Some(failure("Deployment", 403, "exceeded quota: count"));
    assert_eq!(
        case.word(PROGRAMMED, at(1)),
        (NO, Reason::AwaitingAcknowledgement)
    );
    let message = case.check(PROGRAMMED, at(1)).unwrap().message;
    assert!(
        message.contains("exceeded quota: count") && message.contains("quota or policy"),
        "{message}"
    );
    assert_eq!(case.word(READY, at(1)), (YES, Reason::Ready));
    assert_eq!(case.word(RECONCILING, at(1)), (YES, Reason::Progressing));
    assert_eq!(case.next_change(at(15)), Some(at(30).monotonic));
    assert_eq!(case.word(READY, at(30)), (NO, Reason::AwaitingAcknowledgement));
    assert_eq!(case.check(READY, at(30)).unwrap().message, message);
    assert_eq!(case.check(RECONCILING, at(30)), None);

    case.fleet.pods.clear();
    assert_eq!(
        case.check(PROGRAMMED, at(30)).unwrap().message,
        message,
        "no pod, and why"
    );
}

#[test]
fn what_may_pass_is_told_only_when_it_lasts() {
    let mut case = Case::new();
    case.store(at(0));
    for (code, text) in [(0, ""), (409, "the object has been modified"), (503, "etcd")] {
        case.failure = Some(failure("Secret", code, text));
        case.fleet.pods = vec![pod("a", 3, 119), pod("b", 3, 119)];
        assert_eq!(case.word(PROGRAMMED, at(119)), (YES, Reason::Programmed));
        assert_eq!(case.word(READY, at(119)), (YES, Reason::Ready));
        assert_eq!(case.next_change(at(119)), Some(at(120).monotonic));
        assert_eq!(case.word(PROGRAMMED, at(120)).0, NO);
        assert_eq!(case.word(READY, at(120)).0, NO);
    }
}

#[test]
fn a_spec_that_could_not_be_written_is_never_called_programmed() {
    let mut case = Case::new();
    case.store(at(0));
    case.group.metadata.generation = Some(3);
    case.failure = Some(failure("Secret", 0, ""));
    assert_eq!(case.status(at(1)).observed_generation, Some(3));
    assert_eq!(
        case.word(PROGRAMMED, at(1)),
        (NO, Reason::AwaitingAcknowledgement)
    );
    let message = case.check(PROGRAMMED, at(1)).unwrap().message;
    assert_eq!(
        message,
        "generation 3 is not written yet, the proxies keep generation 2"
    );
    assert_eq!(case.word(READY, at(29)), (YES, Reason::Ready), "on its way");
    assert_eq!(case.word(READY, at(30)), (NO, Reason::AwaitingAcknowledgement));
    assert_eq!(case.check(RECONCILING, at(30)), None);
    // A new leader that wrote nothing does not repeat what was said of another spec.
    case.applied = None;
    assert_eq!(case.word(PROGRAMMED, at(1)).1, Reason::Pending);
}

#[test]
fn a_group_that_is_held_says_what_it_runs() {
    let mut case = Case::new();
    case.store(at(0));
    let annotations = case.group.metadata.annotations.get_or_insert_default();
    annotations.insert(PAUSED.into(), "true".into());
    annotations.insert(RECONCILE_REQUESTED_AT.into(), "now".into());
    assert_eq!(case.word(PROGRAMMED, at(1)), (YES, Reason::Programmed));
    assert_eq!(case.word(READY, at(1)), (YES, Reason::Ready));
    assert_eq!(case.word(ConditionType::Paused, at(1)), (YES, Reason::Paused));
    assert_eq!(
        case.status(at(1)).last_handled_reconcile_at,
        None,
        "nobody acts upon it"
    );

    case.group.metadata.generation = Some(3);
    assert_eq!(
        case.word(PROGRAMMED, at(1)),
        (NO, Reason::AwaitingAcknowledgement)
    );
    assert_eq!(case.word(READY, at(1)), (NO, Reason::AwaitingAcknowledgement));
    assert_eq!(case.check(RECONCILING, at(1)), None, "nothing is under way");
    let message = case.check(READY, at(1)).unwrap().message;
    assert!(
        message.contains("generation 3 is held") && message.contains("remove the annotation"),
        "{message}"
    );
    case.group.metadata.annotations.as_mut().unwrap().remove(PAUSED);
    assert_eq!(
        case.status(at(1)).last_handled_reconcile_at.as_deref(),
        Some("now")
    );
}

/// It would be lost: the pass that writes again would find it handled.
#[test]
fn a_request_stays_open_while_nothing_is_written() {
    let handled = |case: &Case| case.status(at(1)).last_handled_reconcile_at;
    let mut case = Case::new();
    let annotations = case.group.metadata.annotations.get_or_insert_default();
    annotations.insert(RECONCILE_REQUESTED_AT.into(), "first".into());
    assert_eq!(handled(&case).as_deref(), Some("first"));
    case.store(at(0));
    let annotations = case.group.metadata.annotations.get_or_insert_default();
    annotations.insert(RECONCILE_REQUESTED_AT.into(), "second".into());

    case.refused = Some(Check::no(Reason::ConfigTooLarge, "too large."));
    assert_eq!(handled(&case).as_deref(), Some("first"), "the build is refused");
    case.refused = None;
    let members = std::mem::take(&mut case.group.spec.members);
    assert_eq!(handled(&case).as_deref(), Some("first"), "the spec is refused");
    case.group.spec.members = members;
    case.failure = Some(failure("Secret", 500, ""));
    assert_eq!(handled(&case).as_deref(), Some("first"), "the pass failed");
    case.failure = None;
    assert_eq!(handled(&case).as_deref(), Some("second"));
}

#[test]
fn an_edit_that_cannot_be_read_is_not_accepted_and_what_was_read_serves_on() {
    let mut case = Case::new();
    case.store(at(0));
    case.later = Some(3);
    for members in [case.group.spec.members.clone(), Vec::new()] {
        case.group.spec.members = members;
        for kind in [ACCEPTED, READY] {
            assert_eq!(case.word(kind, at(1)), (NO, Reason::UnsupportedValue));
        }
        assert_eq!(case.word(ConditionType::Stalled, at(1)).0, YES);
        assert_eq!(case.word(PROGRAMMED, at(1)), (YES, Reason::Programmed));
        let status = case.status(at(1));
        assert_eq!(status.observed_generation, Some(3));
        let speaks_of = |kind: ConditionType| {
            let mut conditions = status.conditions.iter();
            conditions
                .find(|c| c.type_ == kind.as_str())
                .and_then(|c| c.observed_generation)
        };
        assert_eq!((speaks_of(ACCEPTED), speaks_of(PROGRAMMED)), (Some(3), Some(2)));
        let message = case.check(ACCEPTED, at(1)).unwrap().message;
        assert!(
            message.starts_with("generation 3 holds a value")
                && message.contains("generation 2 keeps serving"),
            "{message}"
        );
    }
}

use keypool_crds::v1alpha1::shared::PAUSED;

use super::{
    Case, ConditionStatus, ConditionType, ConfigError, ConfigErrorCode, NO, PodView, Reason, YES, at,
    desired, hash, pod, unheard,
};

const PROGRAMMED: ConditionType = ConditionType::Programmed;
const AVAILABLE: ConditionType = ConditionType::Available;
const READY: ConditionType = ConditionType::Ready;

fn message(case: &Case, second: i64) -> String {
    case.check(PROGRAMMED, at(second)).unwrap().message
}

#[test]
fn every_counted_pod_must_have_acknowledged() {
    let mut case = Case::new();
    assert_eq!(case.word(PROGRAMMED, at(1)), (YES, Reason::Programmed));
    case.fleet.pods.push(pod("c", 2, 0));
    assert_eq!(
        case.word(PROGRAMMED, at(1)),
        (NO, Reason::AwaitingAcknowledgement)
    );
    assert_eq!(message(&case, 1), "c did not acknowledge revision 3 yet");
    assert_eq!(case.status(at(1)).config.unwrap().applied_replicas, 2);
    for change in [
        |pod: &mut PodView| pod.terminating = true,
        |pod: &mut PodView| pod.running = false,
    ] {
        let mut case = Case::new();
        let mut other = pod("c", 2, 0);
        change(&mut other);
        case.fleet.pods.push(other);
        assert_eq!(
            case.word(PROGRAMMED, at(1)),
            (YES, Reason::Programmed),
            "it does not count"
        );
    }
    case.fleet.pods[2].ready = false;
    assert_eq!(case.word(PROGRAMMED, at(1)).0, NO, "ready or not");
}

#[test]
fn another_lineage_is_no_acknowledgement() {
    let mut case = Case::new();
    let running = &mut case.fleet.pods[0].exchange.as_mut().unwrap().acknowledgement;
    running.lineage = "another".into();
    running.hash = Some(hash(99));
    assert_eq!(
        case.word(PROGRAMMED, at(1)),
        (NO, Reason::AwaitingAcknowledgement)
    );
}

#[test]
fn without_pods_it_is_never_true() {
    let mut case = Case::new();
    case.fleet.pods.clear();
    assert_eq!(case.word(PROGRAMMED, at(1)), (NO, Reason::NoProxies));
    case.fleet.wanted = 0;
    assert_eq!(case.word(PROGRAMMED, at(1)), (NO, Reason::ScaledToZero));
    case.fleet.pods = vec![pod("a", 3, 0)];
    assert_eq!(case.word(PROGRAMMED, at(1)), (NO, Reason::ScaledToZero));
    assert_eq!(case.word(READY, at(1)), (NO, Reason::ScaledToZero));
}

#[test]
fn a_pod_that_says_nothing_for_fifteen_seconds_is_out_of_reach() {
    let mut case = Case::new();
    case.fleet.pods[0] = pod("a", 3, 100);
    assert_eq!(case.word(PROGRAMMED, at(14)), (YES, Reason::Programmed));
    assert_eq!(case.next_change(at(14)), Some(at(15).monotonic));
    assert_eq!(case.word(PROGRAMMED, at(15)), (NO, Reason::AdminUnreachable));
    let text = message(&case, 15);
    assert!(
        text.contains("no exchange with b for 15 s") && text.contains("NetworkPolicy"),
        "{text}"
    );
    assert_eq!(
        case.word(READY, at(15)),
        (YES, Reason::Ready),
        "it runs the current spec"
    );
}

#[test]
fn a_new_pod_has_fifteen_seconds_of_its_own() {
    let mut case = Case::new();
    case.store(at(0));
    case.fleet.pods = vec![pod("a", 3, 60), pod("b", 3, 60), unheard("new", 50)];
    assert_eq!(
        case.word(PROGRAMMED, at(60)),
        (NO, Reason::AwaitingAcknowledgement)
    );
    assert_eq!(
        case.word(READY, at(60)),
        (YES, Reason::Ready),
        "a new pod does not unset it"
    );
    assert_eq!(case.word(PROGRAMMED, at(65)), (NO, Reason::AdminUnreachable));
    assert_eq!(case.word(READY, at(74)), (YES, Reason::Ready));
    assert_eq!(
        case.word(READY, at(80)),
        (NO, Reason::AdminUnreachable),
        "thirty seconds from its own start"
    );
}

#[test]
fn a_refused_document_is_told_and_the_last_good_one_serves() {
    let mut case = Case::new();
    case.store(at(0));
    case.edit(0);
    let running = &mut case.fleet.pods[0].exchange.as_mut().unwrap().acknowledgement;
    running.last_error = Some(ConfigError::new(ConfigErrorCode::InvalidUrl, "/providers/x/url"));
    assert_eq!(case.word(PROGRAMMED, at(1)), (NO, Reason::ConfigRejected));
    assert!(message(&case, 1).starts_with("a refused the configuration (InvalidUrl at /providers/x/url)"));
    let told = case.status(at(1)).config.unwrap().last_error.unwrap();
    assert_eq!(
        (told.code.as_str(), told.path.as_str()),
        ("InvalidUrl", "/providers/x/url")
    );
    let mut old_news = Case::new();
    let running = &mut old_news.fleet.pods[0].exchange.as_mut().unwrap().acknowledgement;
    running.last_error = Some(ConfigError::new(ConfigErrorCode::TooLarge, ""));
    assert_eq!(
        old_news.word(PROGRAMMED, at(1)),
        (YES, Reason::Programmed),
        "it runs the desired one"
    );
}

#[test]
fn a_spec_on_its_way_does_not_unset_ready_for_thirty_seconds() {
    let mut case = Case::new();
    case.store(at(0));
    case.edit(0);
    let all = |case: &mut Case, generation: u64, heard: i64| {
        case.fleet.pods = vec![pod("a", generation, heard), pod("b", 3, heard)];
    };
    all(&mut case, 4, 10);
    assert_eq!(
        case.word(PROGRAMMED, at(10)),
        (NO, Reason::AwaitingAcknowledgement)
    );
    assert_eq!(case.word(READY, at(10)), (YES, Reason::Ready));
    assert_eq!(
        case.word(ConditionType::Reconciling, at(10)),
        (YES, Reason::Progressing)
    );
    assert_eq!(case.next_change(at(20)), Some(at(25).monotonic));
    all(&mut case, 4, 30);
    assert_eq!(case.word(READY, at(30)), (NO, Reason::AwaitingAcknowledgement));
    let ready = case.check(READY, at(30)).unwrap();
    assert_eq!(
        ready.message,
        message(&case, 30),
        "with the message of Programmed"
    );
    assert_eq!(case.check(ConditionType::Reconciling, at(30)), None);
    case.fleet.pods = vec![pod("a", 4, 30), pod("b", 4, 30)];
    assert_eq!(case.word(READY, at(31)), (YES, Reason::Ready));
    assert_eq!(case.check(ConditionType::Reconciling, at(31)), None);
}

#[test]
fn a_key_rotation_does_not_unset_ready_at_all() {
    let mut case = Case::new();
    case.store(at(0));
    case.applied.as_mut().unwrap().desired = desired(9, 3);
    case.fleet.pods = vec![pod("a", 3, 600), pod("b", 5, 600)];
    assert_eq!(
        case.word(PROGRAMMED, at(600)),
        (NO, Reason::AwaitingAcknowledgement)
    );
    assert_eq!(case.word(READY, at(600)), (YES, Reason::Ready));
    assert_eq!(case.check(ConditionType::Reconciling, at(600)), None);
}

#[test]
fn the_first_spec_is_not_ready_before_it_is_acknowledged() {
    let mut case = Case::new();
    case.applied.as_mut().unwrap().spec_written = at(0).monotonic;
    case.fleet.pods = vec![unheard("a", 0), unheard("b", 0)];
    assert_eq!(case.word(READY, at(1)), (NO, Reason::AwaitingAcknowledgement));
    assert_eq!(
        case.word(ConditionType::Reconciling, at(1)),
        (YES, Reason::Progressing)
    );
}

#[test]
fn a_new_leader_takes_the_stored_word_for_pods_that_it_has_not_heard() {
    let mut case = Case::new();
    case.store(at(0));
    case.fleet.leading_since = at(100).monotonic;
    case.applied.as_mut().unwrap().spec_written = at(100).monotonic;
    case.fleet.pods = vec![unheard("a", 100), unheard("b", 100)];
    let before = case.group.status.clone();
    assert_eq!(Some(case.status(at(101))), before, "nothing is news");
    case.fleet.pods[0] = pod("a", 3, 102);
    assert_eq!(Some(case.status(at(102))), before);
    assert_eq!(case.word(PROGRAMMED, at(115)), (NO, Reason::AdminUnreachable));

    case.applied.as_mut().unwrap().desired = desired(4, 3);
    assert_eq!(
        case.word(PROGRAMMED, at(101)),
        (NO, Reason::AwaitingAcknowledgement),
        "not of another document"
    );
    case.group.status = None;
    case.applied.as_mut().unwrap().desired = desired(3, 3);
    assert_eq!(case.word(PROGRAMMED, at(101)).0, ConditionStatus::False);
}

#[test]
fn what_pods_run_beyond_the_stored_document_is_reported() {
    let mut case = Case::new();
    let reported = |case: &Case, generation| {
        case.fleet
            .reported_generation(super::LINEAGE, generation, &hash(generation))
    };
    assert_eq!(reported(&case, 3), 0);
    assert_eq!(reported(&case, 2), 3, "a restored backup");
    case.fleet.pods[0].exchange.as_mut().unwrap().acknowledgement.hash = Some(hash(77));
    assert_eq!(reported(&case, 3), 3, "the same number for other bytes");
    assert_eq!(case.fleet.reported_generation("another", 1, &hash(1)), 0);
    assert_eq!(reported(&case, 5), 0, "an older one is only late");
}

#[test]
fn a_first_pod_has_as_long_as_a_deployment_to_become_ready() {
    let mut case = Case::new();
    case.applied.as_mut().unwrap().spec_written = at(0).monotonic;
    let reconciling = |case: &Case, second| case.check(ConditionType::Reconciling, at(second)).is_some();
    for pods in [Vec::new(), {
        let mut pod = pod("a", 3, 599);
        pod.ready = false;
        vec![pod]
    }] {
        case.fleet.pods = pods;
        assert!(reconciling(&case, 599));
        assert_eq!(case.word(READY, at(599)), (NO, Reason::NoReadyProxies));
        assert_eq!(case.next_change(at(599)), Some(at(600).monotonic));
        assert!(!reconciling(&case, 600), "then it waits for a person");
    }
    case.fleet.wanted = 0;
    case.fleet.pods.clear();
    assert!(!reconciling(&case, 1), "nothing is to come");
}

#[test]
fn a_fleet_is_scaled_to_zero_only_by_a_spec_that_is_written() {
    let mut held = Case::new();
    held.store(at(0));
    let annotations = held.group.metadata.annotations.get_or_insert_default();
    annotations.insert(PAUSED.into(), "true".into());
    held.group.metadata.generation = Some(3);
    held.fleet.wanted = 0;
    assert_eq!(
        held.word(PROGRAMMED, at(1)),
        (NO, Reason::AwaitingAcknowledgement)
    );
    assert_eq!(held.word(AVAILABLE, at(1)), (YES, Reason::Available));

    let mut refused = Case::new();
    refused.store(at(0));
    refused.group.metadata.generation = Some(3);
    refused.group.spec.members.clear();
    refused.fleet.wanted = 0;
    assert_eq!(refused.word(PROGRAMMED, at(1)), (YES, Reason::Programmed));
    assert_eq!(refused.word(AVAILABLE, at(1)), (YES, Reason::Available));
}

#[test]
fn a_fleet_that_was_scaled_to_zero_stays_so_while_a_later_spec_is_refused() {
    let mut case = Case::new();
    case.fleet.wanted = 0;
    case.fleet.pods.clear();
    case.store(at(0));
    case.group.metadata.generation = Some(3);
    case.group.spec.members.clear();
    case.fleet.wanted = 2;
    for second in [1, 2] {
        assert_eq!(case.word(PROGRAMMED, at(second)), (NO, Reason::ScaledToZero));
        assert_eq!(case.word(AVAILABLE, at(second)), (NO, Reason::ScaledToZero));
        let text = message(&case, second);
        assert!(text.contains("0 in generation 2"), "{text}");
        case.store(at(second));
    }
}

#[test]
fn a_fleet_that_was_scaled_to_zero_stays_so_while_a_later_spec_is_held() {
    let mut case = Case::new();
    case.fleet.wanted = 0;
    case.fleet.pods.clear();
    case.store(at(0));
    let annotations = case.group.metadata.annotations.get_or_insert_default();
    annotations.insert(PAUSED.into(), "true".into());
    case.group.metadata.generation = Some(3);
    case.fleet.wanted = 2;
    for second in [1, 2] {
        assert_eq!(case.word(AVAILABLE, at(second)), (NO, Reason::ScaledToZero));
        let text = case.check(AVAILABLE, at(second)).unwrap().message;
        assert!(text.contains("0 in generation 2"), "{text}");
        case.store(at(second));
    }
    case.applied.as_mut().unwrap().desired.spec_generation = 3;
    assert_eq!(
        case.word(AVAILABLE, at(3)),
        (NO, Reason::NoReadyProxies),
        "written"
    );
}

//! How an endpoint answers, over all pods.

use std::time::Duration;

use keypool_contract::verdict::{EndpointState, Finding};

use super::super::Ledger;
use super::{P, response, scope};
use crate::moment::tests::at;

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

#[test]
fn what_a_pod_repeats_is_no_news_until_it_may_change_the_merged_word() {
    let scope = scope(&[("f", None)]);
    let mut ledger = Ledger::default();
    let reached = EndpointState::Reachable;
    for (pod, second, state, news, next) in [
        ("a", 0, reached, true, None),
        ("a", 30, reached, false, None),
        ("b", 40, reached, false, None),
        // After a silence of all, too.
        ("a", 500, reached, false, None),
        ("b", 510, EndpointState::Refused, true, Some(560)),
        ("a", 530, reached, false, None),
        ("b", 540, EndpointState::Refused, true, Some(590)),
        ("b", 600, EndpointState::Refused, false, None),
        ("a", 610, reached, true, None),
    ] {
        let now = at(second).monotonic;
        let before = ledger.endpoint(P, now);
        let answer = response(pod, false, vec![(second as u64 + 1, Finding::Endpoint { state })]);
        let received = ledger.receive(&scope, &answer, at(second));
        assert_eq!(
            (!received.changed.is_empty(), received.briefs),
            (news, false),
            "{second}"
        );
        assert!(news || before == ledger.endpoint(P, now), "{second}");
        let due = next.map(|second| at(second).monotonic + Duration::from_millis(1));
        assert_eq!(ledger.next_change(P, now), due, "{second}");
    }
}

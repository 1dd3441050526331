//! Which values a pod may be named for.

use keypool_contract::document::{
    Ambiguous, ClientAccess, Document, Group, Member, Retry, Strategy, UnknownModel,
};
use keypool_contract::verdict::Finding;

use super::{P, cooling, document, invalid, proven, response, whole};
use crate::ledger::{DocumentScope, Ledger, Unproven};
use crate::moment::tests::at;

/// A document whose provider a member uses.
pub(crate) fn used(values: &[(&str, Option<&str>)]) -> Document {
    let mut document = document(values);
    document.content.groups = vec![Group {
        namespace: "team".into(),
        name: "chat".into(),
        spec_generation: 1,
        aliases: Vec::new(),
        members: vec![Member {
            name: "a".into(),
            provider: P.into(),
            model: "m".into(),
            priority: 0,
            weight: 1,
            aliases: Vec::new(),
        }],
        strategy: Strategy::RoundRobin,
        retry: Retry {
            attempts: 1,
            deadline_ms: 1,
            ambiguous: Ambiguous::Never,
        },
        unknown_model: UnknownModel::Reject,
        client_access: ClientAccess {
            insecure: true,
            keys: Vec::new(),
        },
    }];
    document
}

fn unproven(ledger: &Ledger, document: &Document, second: i64) -> Vec<(String, Unproven)> {
    let scope = DocumentScope::of(document);
    let unproven = ledger.unproven(&scope, at(second).monotonic);
    unproven
        .into_iter()
        .map(|(key, told)| (key.fingerprint, told))
        .collect()
}

#[test]
fn a_value_is_asked_about_until_something_is_known_for_or_against_it() {
    let document = used(&[("f", None)]);
    let scope = DocumentScope::of(&document);
    let not_verifiable = Finding::NotVerifiable {
        fingerprint: "f".into(),
    };
    let of_a_model = |mut finding: Finding| {
        if let Finding::Cooling { scope, .. } = &mut finding {
            scope.model = Some("m".into());
        }
        finding
    };
    for (findings, want) in [
        (vec![], Some(Unproven::Untold)),
        (vec![not_verifiable.clone()], Some(Unproven::NotVerifiable)),
        (vec![not_verifiable, proven("f")], None),
        (vec![proven("f")], None),
        (vec![invalid("f")], None),
        (vec![cooling("f", 60)], None),
        (vec![of_a_model(cooling("f", 60))], Some(Unproven::Untold)),
    ] {
        let mut ledger = Ledger::default();
        let findings: Vec<_> = (1..).zip(findings).collect();
        ledger.receive(&scope, &response("a", false, findings.clone()), at(0));
        let told: Vec<_> = want.into_iter().map(|told| ("f".to_owned(), told)).collect();
        assert_eq!(unproven(&ledger, &document, 1), told, "{findings:?}");
    }
}

#[test]
fn a_value_rests_with_its_quota_group() {
    let document = used(&[("f", Some("org")), ("g", Some("org")), ("h", None)]);
    let exhausted = Finding::Exhausted {
        scope: keypool_contract::verdict::Scope {
            quota_group: true,
            ..whole("f")
        },
        remaining_ms: 600_000,
    };
    let mut ledger = Ledger::default();
    let scope = DocumentScope::of(&document);
    ledger.receive(&scope, &response("a", false, vec![(1, exhausted)]), at(0));
    assert_eq!(
        unproven(&ledger, &document, 1),
        [("h".to_owned(), Unproven::Untold)]
    );
}

#[test]
fn only_what_is_used_and_may_be_probed_is_asked_about() {
    let values = [("f", None), ("g", None)];
    let untold = |fingerprint: &str| (fingerprint.to_owned(), Unproven::Untold);
    type Change = fn(&mut Document);
    let cases: [(&str, Change, &[&str]); 6] = [
        ("as it is", |_| {}, &["f", "g"]),
        (
            "probe switched off",
            |document| document.content.providers.get_mut(P).unwrap().probe.enabled = false,
            &[],
        ),
        (
            "used by nobody",
            |document| document.content.groups[0].members.clear(),
            &[],
        ),
        (
            "disabled",
            |document| document.content.providers.get_mut(P).unwrap().credentials[0].enabled = false,
            &["g"],
        ),
        (
            "drained",
            |document| document.content.providers.get_mut(P).unwrap().credentials[1].weight = 0,
            &["f"],
        ),
        (
            "one of two of one value disabled",
            |document| {
                let credentials = &mut document.content.providers.get_mut(P).unwrap().credentials;
                credentials[1].fingerprint = "f".into();
                credentials[1].enabled = false;
            },
            &["f"],
        ),
    ];
    for (what, change, want) in cases {
        let mut document = used(&values);
        change(&mut document);
        let want: Vec<_> = want.iter().copied().map(untold).collect();
        assert_eq!(unproven(&Ledger::default(), &document, 0), want, "{what}");
    }
}

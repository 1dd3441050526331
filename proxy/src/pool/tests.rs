//! The pool over a real balancer: what its indices mean across reloads, and what it hands on.

use std::sync::Arc;
use std::time::Instant;

use keypool_balance::health::KeyState;
use keypool_balance::{Account, EnvFault, MemberSet, Observation, ProbeVerdict, Proof, Reach};
use keypool_contract::Document;
use keypool_contract::verdict::{EndpointState, Finding};
use keypool_dialect::outcome::{Class, Outcome, Scope};

use super::{Attempted, Journey, Next, Pool};
use crate::runtime::fixtures::{compile, document, group, member, provider, simple};
use crate::runtime::{Resolution, Snapshot};

fn pool(document: &Document) -> (Arc<Pool>, Arc<Snapshot>) {
    let pool = Pool::new("pod".into(), 1);
    let snapshot = compile(document);
    pool.update(&snapshot).unwrap();
    (pool, snapshot)
}

fn begin(pool: &Arc<Pool>, snapshot: &Arc<Snapshot>, model: Option<&str>) -> Journey {
    let group = snapshot.groups()[0].clone();
    let Resolution::Members(members) = group.resolve(model) else {
        panic!("unknown model");
    };
    pool.begin(snapshot.clone(), group, members, false, Instant::now())
}

fn outcome(class: Class) -> Outcome {
    let mut outcome = Outcome::new(class, "code");
    outcome.machine_code = true;
    outcome
}

#[test]
fn a_request_rotates_over_the_keys_and_then_there_is_nothing() {
    let (pool, snapshot) = pool(&simple(1));
    let mut journey = begin(&pool, &snapshot, None);
    let first = journey.pick().unwrap();
    assert_eq!(
        journey.settle(Attempted::Answered(&outcome(Class::Rate))),
        Next::Elsewhere
    );
    let second = journey.pick().unwrap();
    assert_ne!(first.credential().name, second.credential().name);
    assert_eq!(
        journey.settle(Attempted::Answered(&outcome(Class::Rate))),
        Next::Elsewhere
    );
    let nothing = journey.pick().unwrap_err();
    assert_eq!((nothing.attempts, nothing.why.total), (2, 2));
    assert!(nothing.earliest.is_some_and(|wait| wait.as_secs() <= 72));
}

#[test]
fn an_open_attempt_that_is_dropped_teaches_nothing() {
    let (pool, snapshot) = pool(&simple(1));
    let before = pool.learned_since(None);
    for _ in 0..20 {
        begin(&pool, &snapshot, None).pick().unwrap();
    }
    let mut committed = begin(&pool, &snapshot, None);
    committed.pick().unwrap();
    assert_eq!(pool.learned_since(Some(before.sequence)).verdicts, []);
    committed.commit();
    let learned = pool.learned_since(Some(before.sequence)).verdicts;
    assert!(
        learned
            .iter()
            .any(|verdict| matches!(verdict.finding, Finding::Proven { .. })),
        "{learned:?}"
    );
}

/// Groups and members in another order, a key replaced.
#[test]
fn a_request_that_began_before_a_reload_uses_whole_targets_of_the_new_document() {
    let providers = |url: &str, keys: &[&str]| {
        vec![
            provider("p", url, keys),
            provider("q", "http://127.0.0.1:2/v1", &["other"]),
        ]
    };
    let members = || vec![member("m", "p", "model"), member("n", "q", "elsewhere")];
    let before = document(
        1,
        providers("http://old/v1", &["old"]),
        vec![group("chat", members(), &[])],
    );
    let mut reversed = members();
    reversed.reverse();
    let after = document(
        2,
        providers("http://new/v1", &["new"]),
        vec![
            group("another", vec![member("x", "q", "x")], &[]),
            group("chat", reversed, &[]),
        ],
    );
    let (pool, snapshot) = pool(&before);
    let mut journey = begin(&pool, &snapshot, Some("model"));
    let first = journey.pick().unwrap();
    assert_eq!(&*first.provider().endpoint.key.host, "old");
    pool.update(&compile(&after)).unwrap();
    // The outcome of a key that is gone is dropped, and the request goes on with the new one.
    assert_eq!(
        journey.settle(Attempted::Answered(&outcome(Class::AuthDead))),
        Next::Elsewhere
    );
    let second = journey.pick().unwrap();
    assert_eq!((&*second.member.name, &*second.credential().name), ("m", "new"));
    assert_eq!(&*second.provider().endpoint.key.host, "new");
    assert_eq!(second.credential().authorization.as_ref().unwrap(), "Bearer new");
    assert!(
        pool.health()
            .0
            .iter()
            .all(|p| p.credentials.iter().all(|c| c.state == KeyState::Unknown))
    );
    // A group that is gone serves nothing more.
    let gone = document(3, Vec::new(), Vec::new());
    pool.update(&compile(&gone)).unwrap();
    journey.settle(Attempted::ClientGone);
    assert!(journey.pick().is_err());
}

#[test]
fn a_refused_key_is_to_be_confirmed_once_and_its_end_is_told() {
    let (pool, snapshot) = pool(&simple(1));
    let start = pool.learned_since(None).sequence;
    let mut journey = begin(&pool, &snapshot, None);
    let target = journey.pick().unwrap();
    journey.settle(Attempted::Answered(&outcome(Class::AuthDead)));
    let wanted = futures::FutureExt::now_or_never(pool.confirmation()).unwrap();
    assert_eq!(*wanted.fingerprint, *target.credential().fingerprint);
    assert!(futures::FutureExt::now_or_never(pool.confirmation()).is_none());
    let probe = pool.start_probe(&wanted).unwrap();
    assert_eq!(probe.credential().name, target.credential().name);
    pool.confirm(&probe, ProbeVerdict::Dead);
    let learned = pool.learned_since(Some(start));
    assert!(!learned.snapshot);
    let invalid = |finding: &Finding| matches!(finding, Finding::Invalid { fingerprint } if *fingerprint == *wanted.fingerprint);
    assert!(
        learned.verdicts.iter().any(|verdict| invalid(&verdict.finding)),
        "{learned:?}"
    );
    assert!(
        learned
            .verdicts
            .iter()
            .all(|verdict| verdict.id.instance == "pod" && verdict.provider == "uid-p")
    );
    // Only the other key is still to be proven.
    let unproven = pool.unproven();
    assert_eq!(unproven.len(), 1);
    assert_ne!(unproven[0].key.fingerprint, wanted.fingerprint);
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_told_and_costs_no_key() {
    for (fault, state) in [
        (EnvFault::Refused, EndpointState::Refused),
        (EnvFault::Dns, EndpointState::DnsFailed),
        (EnvFault::Tls, EndpointState::TlsInvalid),
    ] {
        let (pool, snapshot) = pool(&simple(1));
        let mut journey = begin(&pool, &snapshot, None);
        journey.pick().unwrap();
        journey.settle(Attempted::NotSent(fault));
        let learned = pool.learned_since(None).verdicts;
        assert!(
            learned
                .iter()
                .any(|verdict| verdict.finding == Finding::Endpoint { state }),
            "{learned:?}"
        );
        assert!(
            pool.health().0[0]
                .credentials
                .iter()
                .all(|key| key.state == KeyState::Unknown)
        );
    }
}

#[test]
fn outcomes_become_observations() {
    let with = |class, machine_code, scope, may_have_run| Outcome {
        machine_code,
        scope,
        may_have_run,
        ..Outcome::new(class, "code")
    };
    let (code, bare) = (Proof::MachineCode, Proof::Ambiguous);
    let rate = |reach, proof| Observation::Rate {
        hint: None,
        reach,
        proof,
    };
    for (class, machine_code, scope, may_have_run, want) in [
        (Class::Success, false, Scope::Nothing, false, Observation::Success),
        (
            Class::Client,
            true,
            Scope::Nothing,
            true,
            Observation::ClientFault,
        ),
        (
            Class::TooBigForKey,
            true,
            Scope::Nothing,
            false,
            Observation::TooBig,
        ),
        (
            Class::Rate,
            true,
            Scope::QuotaGroupModel,
            false,
            rate(Reach::Model, code),
        ),
        (
            Class::RateLong,
            false,
            Scope::QuotaGroup,
            false,
            rate(Reach::QuotaGroup, bare),
        ),
        (
            Class::Credit,
            true,
            Scope::QuotaGroup,
            false,
            Observation::Credit {
                hint: None,
                account: Account::QuotaGroup,
                proof: code,
            },
        ),
        (
            Class::Credit,
            true,
            Scope::Credential,
            false,
            Observation::Credit {
                hint: None,
                account: Account::Credential,
                proof: code,
            },
        ),
        (
            Class::AuthDead,
            true,
            Scope::Credential,
            false,
            Observation::Auth {
                dead_code: true,
                proof: code,
            },
        ),
        (
            Class::AuthDead,
            false,
            Scope::Credential,
            false,
            Observation::Auth {
                dead_code: true,
                proof: bare,
            },
        ),
        (
            Class::AuthUnclear,
            false,
            Scope::Credential,
            false,
            Observation::Auth {
                dead_code: false,
                proof: bare,
            },
        ),
        (
            Class::Model,
            false,
            Scope::CredentialModel,
            false,
            Observation::Model { proof: bare },
        ),
        (
            Class::Env,
            false,
            Scope::Provider,
            false,
            Observation::Env(EnvFault::Refused),
        ),
        (
            Class::Overload,
            false,
            Scope::ProviderModel,
            false,
            Observation::Overload { hint: None },
        ),
        (
            Class::Server,
            false,
            Scope::ProviderModel,
            false,
            Observation::Server,
        ),
        (
            Class::Invalid,
            false,
            Scope::ProviderModel,
            false,
            Observation::Server,
        ),
        (
            Class::Server,
            false,
            Scope::ProviderModel,
            true,
            Observation::Unanswered,
        ),
        (
            Class::Invalid,
            false,
            Scope::ProviderModel,
            true,
            Observation::Unanswered,
        ),
        (Class::Stream, false, Scope::ProviderModel, true, Observation::Cut),
    ] {
        let outcome = with(class, machine_code, scope, may_have_run);
        assert_eq!(Attempted::Answered(&outcome).observation(), want, "{outcome:?}");
    }
    assert_eq!(Attempted::Unanswered.observation(), Observation::Unanswered);
    assert_eq!(Attempted::ClientGone.observation(), Observation::Cancelled);
}

#[test]
fn without_a_document_there_is_nothing() {
    let (_, snapshot) = pool(&simple(1));
    let empty = Pool::new("pod".into(), 1);
    let group = snapshot.groups()[0].clone();
    let mut journey = empty.begin(snapshot, group, MemberSet::ALL, false, Instant::now());
    let nothing = journey.pick().unwrap_err();
    assert!(nothing.earliest.is_none());
    assert!(empty.health().0.is_empty() && empty.unproven().is_empty());
    assert!(empty.learned_since(None).snapshot);
    assert!(!empty.learned_since(Some(0)).snapshot);
}

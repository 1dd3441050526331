//! Who is told what, and when.

use std::time::Duration;

use keypool_balance::health::KeyState;
use keypool_contract::Encoded;
use keypool_contract::exchange::{ClearCooldown, ExchangeResponse, FirstValidation};
use keypool_contract::verdict::{Advisory, CoolingReason, Finding, Scope, VerdictId};
use tokio::time::Instant;

use super::{Pod, request};
use crate::config::Origin;
use crate::pool::Confirmation;
use crate::probe::Turn;
use crate::runtime::fixtures::{encode, simple};

fn advice(instance: &str, sequence: u64, fingerprint: &str, remaining_ms: u64) -> Advisory {
    Advisory {
        id: VerdictId {
            instance: instance.into(),
            sequence,
        },
        provider: "uid-p".into(),
        finding: Finding::Cooling {
            scope: Scope {
                fingerprint: fingerprint.into(),
                quota_group: false,
                model: None,
            },
            reason: CoolingReason::RateLimited,
            remaining_ms,
            soft: false,
        },
    }
}

#[tokio::test]
async fn an_unknown_reader_gets_everything_and_the_known_one_what_is_new() {
    let pod = Pod::running();
    let limited = pod.limit(45);
    let all = pod.ask(request(1, None)).await.unwrap();
    assert!(all.snapshot);
    assert_eq!((&*all.instance, all.acknowledgement.generation), ("pod", 1));
    let cooling = |response: &ExchangeResponse| {
        let findings = response
            .verdicts
            .iter()
            .filter_map(|verdict| match &verdict.finding {
                Finding::Cooling {
                    scope, remaining_ms, ..
                } => Some((scope.fingerprint.clone(), *remaining_ms)),
                _ => None,
            });
        findings.collect::<Vec<_>>()
    };
    let told = cooling(&all);
    assert_eq!(told.len(), 1, "{:?}", all.verdicts);
    assert_eq!(told[0].0, limited);
    assert!(
        (44_000..=54_000).contains(&told[0].1),
        "hint, stretched by up to a fifth: {}",
        told[0].1
    );

    // Known, and nothing new: an empty answer that is no snapshot.
    let nothing = pod.ask(request(1, Some(&all))).await.unwrap();
    assert!(!nothing.snapshot && nothing.verdicts.is_empty());
    // What is not confirmed is repeated.
    pod.limit(45);
    let first = pod.ask(request(1, Some(&all))).await.unwrap();
    let again = pod.ask(request(1, Some(&all))).await.unwrap();
    assert_eq!(cooling(&first).len(), 1);
    assert_eq!(
        first.verdicts.iter().map(|v| &v.id).collect::<Vec<_>>(),
        again.verdicts.iter().map(|v| &v.id).collect::<Vec<_>>()
    );
    assert!(
        pod.ask(request(1, Some(&first)))
            .await
            .unwrap()
            .verdicts
            .is_empty()
    );
    // Another reader, or one that counts another process's sequence, is not known.
    let mut stranger = request(1, Some(&first));
    stranger.reader = "another".into();
    let everything = pod.ask(stranger).await.unwrap();
    assert!(everything.snapshot);
    assert_eq!(cooling(&everything).len(), 2);
    let mut confused = request(1, Some(&first));
    confused.reader = "another".into();
    confused.instance = "before the restart".into();
    assert!(pod.ask(confused).await.unwrap().snapshot);
}

#[tokio::test]
async fn a_lower_term_is_refused_also_while_a_poll_is_held() {
    let pod = Pod::running();
    let known = pod.ask(request(5, None)).await.unwrap();
    assert_eq!(pod.ask(request(4, None)).await.unwrap_err().term, 5);
    let mut held = request(5, Some(&known));
    held.wait_ms = 5_000;
    let mut poll = std::pin::pin!(pod.ask(held));
    assert!(futures::poll!(poll.as_mut()).is_pending(), "it is held");
    let mut next = request(6, None);
    next.reader = "next".into();
    pod.ask(next).await.unwrap();
    pod.limit(45);
    assert_eq!(
        poll.await.unwrap_err().term,
        6,
        "a former leader learns nothing more"
    );
}

#[tokio::test(start_paused = true)]
async fn a_held_poll_ends_with_news_of_either_kind_or_in_time() {
    let pod = Pod::running();
    let known = pod.ask(request(1, None)).await.unwrap();
    let held = |known: &ExchangeResponse| {
        let mut held = request(1, Some(known));
        held.wait_ms = 60_000;
        let exchange = pod.exchange.clone();
        tokio::spawn(async move { exchange.answer(held).await.unwrap() })
    };
    // Nothing happens: the poll is held for no longer than the contract allows.
    let began = Instant::now();
    let nothing = held(&known).await.unwrap();
    assert!(nothing.verdicts.is_empty());
    assert_eq!(began.elapsed().as_secs(), 5);
    // A verdict.
    let poll = held(&known);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!poll.is_finished());
    pod.limit(45);
    let began = Instant::now();
    let learned = poll.await.unwrap();
    assert!(!learned.verdicts.is_empty());
    assert!(began.elapsed() < Duration::from_secs(1));
    // A document from the mount.
    let poll = held(&learned);
    tokio::time::sleep(Duration::from_secs(1)).await;
    pod.intake.offer(Origin::Mounted, &encode(&simple(2)));
    assert_eq!(poll.await.unwrap().acknowledgement.generation, 2);
}

#[tokio::test]
async fn a_document_is_taken_in_and_acknowledged_at_once() {
    let pod = Pod::running();
    let known = pod.ask(request(1, None)).await.unwrap();
    let offer = |encoded: &Encoded| {
        let mut request = request(1, Some(&known));
        request.document = Some(encoded.clone());
        request.wait_ms = 5_000;
        request
    };
    let next = encode(&simple(2));
    let answer = pod.ask(offer(&next)).await.unwrap();
    assert_eq!(answer.acknowledgement.hash.as_ref(), Some(next.hash()));
    let refused = pod
        .ask(offer(&Encoded::from_bytes(b"{}".to_vec())))
        .await
        .unwrap();
    assert_eq!(refused.acknowledgement.generation, 2);
    assert!(refused.acknowledgement.last_error.is_some());
    // Nothing changed, and still an answer at once: the leader asked what became of it.
    let same = tokio::time::timeout(Duration::from_secs(1), pod.ask(offer(&next)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(same.acknowledgement.last_error, None);
}

#[tokio::test]
async fn a_pod_asks_about_what_its_leader_names_and_a_word_without_names_changes_nothing() {
    let pod = Pod::running();
    pod.pool.await_leader();
    let key = |fingerprint: &str| Confirmation {
        provider: "uid-p".into(),
        fingerprint: fingerprint.into(),
    };
    let turns = || ["fp-k1", "fp-k2"].map(|name| pod.pool.naming().turn(&key(name), pod.pool.now()));
    let name = |names: Option<&[&str]>| {
        let mut request = request(1, None);
        request.first_validations = names.map(|names| {
            let named = |name: &&str| FirstValidation {
                provider: "uid-p".into(),
                fingerprint: (*name).into(),
            };
            names.iter().map(named).collect()
        });
        pod.ask(request)
    };
    assert_eq!(turns(), [Turn::Never, Turn::Never]);
    for (names, want) in [
        (None, [Turn::Never, Turn::Never]),
        (Some(&["fp-k1"][..]), [Turn::Now, Turn::Never]),
        (None, [Turn::Now, Turn::Never]),
        (Some(&["fp-k2"]), [Turn::Never, Turn::Now]),
        (Some(&[]), [Turn::Never, Turn::Never]),
    ] {
        name(names).await.unwrap();
        assert_eq!(turns(), want, "{names:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_whose_answer_was_lost_is_told_at_once() {
    let pod = Pod::running();
    let known = pod.ask(request(1, None)).await.unwrap();
    pod.intake.offer(Origin::Mounted, &encode(&simple(2)));
    let held = || {
        let mut held = request(1, Some(&known));
        held.wait_ms = 5_000;
        held
    };
    for _ in 0..2 {
        let began = Instant::now();
        let told = pod.ask(held()).await.unwrap();
        assert_eq!(told.acknowledgement.generation, 2);
        assert_eq!(
            began.elapsed(),
            Duration::ZERO,
            "not held: the reader has not heard it"
        );
    }
}

#[tokio::test]
async fn advisories_replace_each_other_and_a_persons_wish_acts_once() {
    let pod = Pod::running();
    let advise = |advisories: Vec<Advisory>| {
        let mut request = request(1, None);
        request.advisories = Some(advisories);
        pod.ask(request)
    };
    let (used, resting) = (KeyState::Unknown, KeyState::CoolingDown);
    advise(vec![advice("other", 1, "fp-k1", 60_000)]).await.unwrap();
    assert_eq!(pod.states(), [resting, used]);
    advise(vec![advice("other", 2, "fp-k2", 60_000)]).await.unwrap();
    assert_eq!(pod.states()[1], resting);
    assert_ne!(pod.states()[0], resting);
    // What is advised is never reported back, and what this process said itself is not advice.
    let answer = advise(vec![advice("pod", 1, "fp-k1", 60_000)]).await.unwrap();
    assert!(
        answer
            .verdicts
            .iter()
            .all(|verdict| !matches!(verdict.finding, Finding::Cooling { .. }))
    );
    assert_ne!(pod.states()[0], resting);

    let clear = |token: &str, names: &[&str]| {
        let mut request = request(1, None);
        request.clear_cooldowns = vec![ClearCooldown {
            provider: "uid-p".into(),
            token: token.into(),
            credentials: names.iter().map(|name| (*name).to_owned()).collect(),
        }];
        pod.ask(request)
    };
    pod.limit(60);
    pod.limit(60);
    assert_eq!(pod.states(), [resting, resting]);
    clear("t1", &["k1"]).await.unwrap();
    assert_ne!(pod.states()[0], resting);
    assert_eq!(pod.states()[1], resting);
    pod.limit(60);
    clear("t1", &[]).await.unwrap();
    assert_eq!(pod.states()[1], resting, "the same token again does nothing");
    clear("t2", &[]).await.unwrap();
    assert!(!pod.states().contains(&resting));
}

#[tokio::test]
async fn advice_that_comes_before_the_first_document_is_kept() {
    let pod = Pod::new();
    let mut early = request(1, None);
    early.advisories = Some(vec![advice("other", 1, "fp-k1", 60_000)]);
    pod.ask(early).await.unwrap();
    pod.intake.offer(Origin::Mounted, &encode(&simple(1)));
    assert_eq!(pod.states()[0], KeyState::CoolingDown);
}

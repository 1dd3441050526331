use super::fake::{FakeLease, Told};
use super::*;

fn lease(holder: &str, renewed: i64, term: i32) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(holder.into()),
        renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
        lease_transitions: Some(term),
        ..LeaseSpec::default()
    };
    Lease {
        metadata: ObjectMeta::default(),
        spec: Some(spec),
    }
}

const DURATION: Duration = Duration::from_secs(15);

#[test]
fn a_missing_lease_is_created_and_our_own_renewed() {
    let (mut seen, now) = (Observed::default(), Instant::now());
    assert_eq!(seen.decide(None, "me", DURATION, now), Decision::Create);
    assert_eq!(
        seen.decide(Some(&lease("me", 1, 4)), "me", DURATION, now),
        Decision::Renew { term: 4 }
    );
}

#[test]
fn anothers_lease_is_taken_only_after_a_whole_duration_without_a_renewal_that_we_saw() {
    let (mut seen, start) = (Observed::default(), Instant::now());
    // Its own clock is far behind ours: that alone says nothing.
    assert_eq!(
        seen.decide(Some(&lease("other", 1, 4)), "me", DURATION, start),
        Decision::Wait
    );
    let later = start + DURATION - Duration::from_secs(1);
    assert_eq!(
        seen.decide(Some(&lease("other", 2, 4)), "me", DURATION, later),
        Decision::Wait
    );
    assert_eq!(
        seen.decide(Some(&lease("other", 2, 4)), "me", DURATION, start + DURATION),
        Decision::Wait
    );
    let take = Decision::Take { term: 5 };
    assert_eq!(
        seen.decide(Some(&lease("other", 2, 4)), "me", DURATION, later + DURATION),
        take
    );
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let mut seen = Observed::default();
    let take = Decision::Take { term: 8 };
    assert_eq!(
        seen.decide(Some(&lease("", 1, 7)), "me", DURATION, Instant::now()),
        take
    );
}

/// The Lease may already be another's when a pod tells of a term: nothing may be said in a term that was never written.
#[tokio::test(start_paused = true)]
async fn a_higher_term_counts_only_once_the_lease_holds_it() {
    let (server, mut told) = FakeLease::start();
    let mut candidate = server.candidate("me");
    let term = candidate.acquire().await;
    assert_eq!(told.recv().await, Some(Told::written("me", 1)));
    server.refuse_writes(2);
    term.rise_above(7);
    let following = async {
        for _ in 0..2 {
            assert_eq!(told.recv().await, Some(Told::Refused));
            assert_eq!(term.held(), 1);
        }
        // The second write shows that the answer to the first has come.
        for _ in 0..2 {
            assert_eq!(told.recv().await, Some(Told::written("me", 8)));
        }
        assert_eq!(term.held(), 8);
        term.rise_above(3);
        assert_eq!(told.recv().await, Some(Told::written("me", 8)));
    };
    tokio::select! {
        lost = candidate.hold(&term) => panic!("{lost}"),
        () = following => {}
    }
}

/// What one pod makes up must not use up the terms of all leaders to come.
#[test]
fn a_term_that_cannot_be_is_not_followed() {
    let term = Term::new(3);
    for seen in [
        u64::MAX,
        1 << 32,
        i32::MAX.unsigned_abs().into(),
        (i32::MAX / 2).unsigned_abs().into(),
    ] {
        term.rise_above(seen);
        assert_eq!(term.wanted(), 3, "{seen}");
    }
    term.rise_above(1_000_000);
    assert_eq!(term.wanted(), 1_000_001);
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_names_nobody_and_anothers_stays() {
    let (server, mut told) = FakeLease::start();
    let mut candidate = server.candidate("me");
    candidate.acquire().await;
    told.recv().await;
    server.write_between();
    candidate.release().await;
    assert_eq!(told.recv().await, Some(Told::written("", 1)));

    let mut other = server.candidate("other");
    assert_eq!(other.acquire().await.held(), 2);
    candidate.release().await;
    assert_eq!(server.holder().as_deref(), Some("other"));
}

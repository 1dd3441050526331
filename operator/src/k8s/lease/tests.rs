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

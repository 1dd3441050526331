use proptest::prelude::*;

use super::*;

const fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn limiter(limit: Limit) -> Limiter {
    Limiter::new(vec![limit])
}

fn granted(admission: Admission) -> Ticket {
    match admission {
        Admission::Granted { ticket, .. } => ticket,
        refused => panic!("{refused:?}"),
    }
}

fn refused(admission: Admission) -> (ErrorKind, Option<Duration>) {
    match admission {
        Admission::Refused {
            error, retry_after, ..
        } => (error, retry_after),
        granted => panic!("{granted:?}"),
    }
}

#[test]
fn requests_count_per_group_and_model_and_come_back_when_told() {
    let mut limiter = limiter(Limit {
        requests_per_minute: Some(2),
        ..Limit::default()
    });
    granted(limiter.admit(at(0), "g", "m", 1));
    granted(limiter.admit(at(0), "g", "m", 1));
    let (error, wait) = refused(limiter.admit(at(0), "g", "m", 1));
    assert_eq!((error, wait), (ErrorKind::RateLimitExceeded, Some(at(30_000))));
    granted(limiter.admit(at(0), "other", "m", 1));
    granted(limiter.admit(at(0), "g", "other", 1));
    refused(limiter.admit(at(29_999), "g", "m", 1));
    granted(limiter.admit(at(30_000), "g", "m", 1));
}

#[test]
fn a_shared_limit_counts_all_models_together() {
    let mut limiter = limiter(Limit {
        requests_per_minute: Some(1),
        shared: true,
        ..Limit::default()
    });
    granted(limiter.admit(at(0), "g", "m", 1));
    refused(limiter.admit(at(0), "g", "other", 1));
}

#[test]
fn a_request_larger_than_the_limit_is_never_told_to_wait() {
    let mut limiter = limiter(Limit {
        tokens_per_minute: Some(100),
        ..Limit::default()
    });
    assert_eq!(
        refused(limiter.admit(at(0), "g", "m", 101)),
        (ErrorKind::RequestTooLarge, None)
    );
    granted(limiter.admit(at(0), "g", "m", 100));
    assert_eq!(
        refused(limiter.admit(at(0), "g", "m", 10)),
        (ErrorKind::TokenLimitExceeded, Some(at(6_000)))
    );
}

#[test]
fn concurrency_is_given_back_when_the_ticket_goes() {
    let mut limiter = limiter(Limit {
        concurrency: Some(1),
        ..Limit::default()
    });
    let ticket = granted(limiter.admit(at(0), "g", "m", 1));
    refused(limiter.admit(at(0), "g", "m", 1));
    drop(ticket);
    granted(limiter.admit(at(0), "g", "m", 1));
}

#[test]
fn a_refusal_charges_no_other_limit() {
    let mut limiter = Limiter::new(vec![
        Limit {
            requests_per_minute: Some(10),
            ..Limit::default()
        },
        Limit {
            tokens_per_minute: Some(5),
            ..Limit::default()
        },
    ]);
    refused(limiter.admit(at(0), "g", "m", 6));
    let Admission::Granted { headers, .. } = limiter.admit(at(0), "g", "m", 1) else {
        panic!("refused")
    };
    let value = |name| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
    assert_eq!(value("x-ratelimit-remaining-requests"), Some("9"));
    assert_eq!(value("x-ratelimit-limit-tokens"), Some("5"));
    assert_eq!(value("x-ratelimit-reset-requests"), Some("6s"));
}

proptest! {
    /// Whatever the arrivals, no window lets more through than twice the limit (a full bucket and one refill).
    #[test]
    fn a_window_never_grants_more_than_bucket_and_refill(
        gaps in prop::collection::vec(0u64..3_000, 1..200), rpm in 1u64..50,
    ) {
        let mut limiter = limiter(Limit { requests_per_minute: Some(rpm), ..Limit::default() });
        let (mut now, mut grants) = (0, Vec::new());
        for gap in gaps {
            now += gap;
            if matches!(limiter.admit(at(now), "g", "m", 1), Admission::Granted { .. }) {
                grants.push(now);
            }
        }
        for start in &grants {
            let inside = grants.iter().filter(|t| **t >= *start && **t < start + 60_000).count() as u64;
            prop_assert!(inside <= 2 * rpm);
        }
    }

    /// Waiting as long as told is always enough.
    #[test]
    fn the_hint_is_true(rpm in 1u64..1000, burst in 1u64..2000) {
        let mut limiter = limiter(Limit { requests_per_minute: Some(rpm), ..Limit::default() });
        for _ in 0..burst {
            if let Admission::Refused { retry_after: Some(wait), .. } = limiter.admit(at(0), "g", "m", 1) {
                let later = limiter.admit(wait, "g", "m", 1);
                let passed = matches!(later, Admission::Granted { .. });
                prop_assert!(passed);
                break;
            }
        }
    }
}

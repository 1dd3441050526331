//! Every form that vendors use, and those that must not be believed.

use http::{HeaderName, HeaderValue};
use proptest::prelude::{any, prop, prop_assert, proptest};

use super::*;

/// Fri, 20 Nov 2026 10:00:00 GMT.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_168_800)
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        (
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        )
    });
    pairs.collect()
}

fn milliseconds(pairs: &[(&str, &str)], body: &str) -> Option<u128> {
    read(&headers(pairs), body.as_bytes(), now()).map(|hint| hint.as_millis())
}

#[test]
fn retry_after_in_every_form() {
    let day = 24 * 3_600_000;
    let cases: &[(&str, Option<u128>)] = &[
        ("0", Some(0)),
        ("1", Some(1_000)),
        ("45", Some(45_000)),
        (" 45 ", Some(45_000)),
        ("0.5", Some(500)),
        ("1.250", Some(1_250)),
        ("86400", Some(day)),
        ("2592000", Some(30 * day)),
        ("46s", Some(46_000)),
        ("45.8379s", Some(45_837)),
        ("6m0s", Some(360_000)),
        ("Fri, 20 Nov 2026 10:00:30 GMT", Some(30_000)),
        ("Friday, 20-Nov-26 10:01:00 GMT", Some(60_000)),
        ("Fri Nov 20 10:02:00 2026", Some(120_000)),
        ("2026-11-20T10:00:05Z", Some(5_000)),
        ("2026-11-20T12:00:05.250+02:00", Some(5_250)),
        ("Fri, 20 Nov 2026 09:59:59 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 20 Nov 2099 10:00:00 GMT", None),
        ("Fri, 40 Nov 2026 10:00:00 GMT", None),
        ("2026-13-20T10:00:05Z", None),
        ("2026-11-20T10:00:05", None),
        ("-1", None),
        ("-0.5", None),
        ("+5", None),
        ("1e3", None),
        ("NaN", None),
        ("inf", None),
        ("infinity", None),
        ("1000000000000", None),
        ("99999999999999999999999999", None),
        ("12 seconds", None),
        ("1,2", None),
        ("soon", None),
        ("", None),
        (".", None),
        ("s", None),
        ("5x", None),
        ("1h-2m", None),
        ("9999999h", None),
    ];
    for (value, expected) in cases {
        assert_eq!(
            milliseconds(&[("retry-after", value)], ""),
            *expected,
            "{value:?}"
        );
    }
}

#[test]
fn milliseconds_header() {
    let cases: &[(&str, Option<u128>)] = &[
        ("1500", Some(1_500)),
        ("11840.5", Some(11_840)),
        ("0", Some(0)),
        ("-5", None),
        ("nan", None),
        ("99999999999999", None),
    ];
    for (value, expected) in cases {
        assert_eq!(
            milliseconds(&[("retry-after-ms", value)], ""),
            *expected,
            "{value:?}"
        );
    }
}

#[test]
fn body_in_every_form() {
    let cases: &[(&str, Option<u128>)] = &[
        (
            "Rate limit reached for gpt-4.1 on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.",
            Some(20_000),
        ),
        ("Please try again in 20ms.", Some(20)),
        (
            "Please try again in 6m0s. Visit https://platform.openai.com",
            Some(360_000),
        ),
        ("Please try again in 1h2m3.5s.", Some(3_723_500)),
        ("Please try again in 7.66s", Some(7_660)),
        ("please retry in 10h17m5.7s", Some(37_025_700)),
        ("Please retry after 86400 seconds.", Some(86_400_000)),
        ("Please retry after 30.", Some(30_000)),
        ("Try again in 5 minutes", Some(300_000)),
        ("try again in 1 hour", Some(3_600_000)),
        ("try again in 2 days", Some(172_800_000)),
        ("Please try again in 250 milliseconds", Some(250)),
        (
            r#"{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay": "46s"}]}}"#,
            Some(46_000),
        ),
        (r#"{"retryDelay":"45.8379s"} retry in 3s"#, Some(45_837)),
        (
            "Please try again in a moment. Please try again in 3s.",
            Some(3_000),
        ),
        ("Please try again in -3s", None),
        ("Please try again later", None),
        ("try again in 999999999999999999999999s", None),
        ("try again in 900 days", None),
        ("", None),
    ];
    for (body, expected) in cases {
        assert_eq!(milliseconds(&[], body), *expected, "{body:?}");
    }
}

#[test]
fn reset_counts_only_where_nothing_remains() {
    let pair = |remaining: &'static str, reset: &'static str| {
        [
            ("x-ratelimit-remaining-requests", remaining),
            ("x-ratelimit-reset-requests", reset),
        ]
    };
    let cases: &[(&str, Option<u128>)] = &[
        ("12ms", Some(12)),
        ("1s", Some(1_000)),
        ("6m0s", Some(360_000)),
        ("2m59.56s", Some(179_560)),
        ("1h2m3s", Some(3_723_000)),
        ("30", Some(30_000)),
        ("0.25", Some(250)),
        ("2026-11-20T10:01:00Z", Some(60_000)),
        ("1795168860", Some(60_000)),
        ("1795168860000", Some(60_000)),
        ("1795168000", None),
        ("99999999999", None),
        ("never", None),
    ];
    for (value, expected) in cases {
        assert_eq!(milliseconds(&pair("0", value), ""), *expected, "{value:?}");
        assert_eq!(milliseconds(&pair("1", value), ""), None, "{value:?}");
    }
    assert_eq!(milliseconds(&[("x-ratelimit-reset-requests", "5s")], ""), None);
    let both = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "5s"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "9s"),
        ("x-ratelimit-remaining-tokens_usage_based", "7"),
        ("x-ratelimit-reset-tokens_usage_based", "1h0m0s"),
    ];
    assert_eq!(milliseconds(&both, ""), Some(9_000));
    let plain = [("ratelimit-remaining", "0"), ("ratelimit-reset", "7")];
    assert_eq!(milliseconds(&plain, ""), Some(7_000));
}

#[test]
fn the_most_exact_source_wins() {
    let exhausted = [
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "9s"),
    ];
    let body = "Please try again in 7s";
    let with = |more: &[(&str, &str)], body: &str| milliseconds(&[exhausted.as_slice(), more].concat(), body);
    assert_eq!(
        with(&[("retry-after", "5"), ("retry-after-ms", "4500")], body),
        Some(4_500)
    );
    assert_eq!(
        with(&[("retry-after", "5"), ("retry-after-ms", "-1")], body),
        Some(5_000)
    );
    assert_eq!(with(&[("retry-after", "-5")], body), Some(7_000));
    assert_eq!(with(&[("retry-after", "-5")], "later"), Some(9_000));
}

#[test]
fn a_date_is_held_against_the_answers_own() {
    for skew in [-3_600, 3_600] {
        let clock =
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_168_800_u64.saturating_add_signed(skew));
        let headers = headers(&[
            ("date", "Fri, 20 Nov 2026 10:00:00 GMT"),
            ("retry-after", "Fri, 20 Nov 2026 10:00:45 GMT"),
        ]);
        assert_eq!(read(&headers, b"", clock), Some(Duration::from_secs(45)));
    }
}

proptest! {
    #[test]
    fn never_panics_and_never_exceeds(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..24), 6),
        body in prop::collection::vec(any::<u8>(), 0..80),
        seconds in any::<u32>(),
    ) {
        let names = [
            "retry-after", "retry-after-ms", "date", "x-ratelimit-reset", "x-ratelimit-remaining", "x-ratelimit-reset-é",
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in names.iter().zip(&values) {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
                headers.insert(name, value);
            }
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into());
        let hint = read(&headers, &body, now);
        prop_assert!(hint.is_none_or(|hint| hint <= LONGEST));
    }

    #[test]
    fn never_panics_on_nearly_right_forms(value in "[0-9.:TZhms+\\-]{0,30}", text in "(try again in |retry after )[0-9.a-z ]{0,12}") {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_str(&value).unwrap());
        headers.insert("x-ratelimit-reset", HeaderValue::from_str(&value).unwrap());
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
        let hint = read(&headers, text.as_bytes(), now());
        prop_assert!(hint.is_none_or(|hint| hint <= LONGEST));
    }
}

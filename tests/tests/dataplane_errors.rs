//! What providers refuse, end to end: what the client gets, which keys rest, where the request goes next.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dataplane {
    pub(crate) mod rig;
    pub(crate) mod wire;
}

use dataplane::rig::{Rig, Setup, asked, keys_asked, provider_options};
use keypool_fake_provider::{Answer, Body, ErrorKind, FakeProvider, Rule, sha256_hex};

const KEYS: [&str; 2] = ["a0", "a1"];

/// What follows from an error that both keys of the first provider earn; a second provider would serve.
struct Case {
    name: String,
    answer: Answer,
    /// Of the answer to the client; 200 is the second provider's.
    status: u16,
    /// Requests that the first provider sees, each with another key.
    attempts: usize,
    /// How many keys are then in which state; the others are as before.
    rest: (usize, &'static str),
}

fn known(kind: ErrorKind, status: u16, attempts: usize, rest: (usize, &'static str)) -> Case {
    Case {
        name: format!("{kind:?}"),
        answer: Answer::error(kind),
        status,
        attempts,
        rest,
    }
}

/// A status whose body says nothing.
fn bare(given: u16, status: u16, attempts: usize, rest: (usize, &'static str)) -> Case {
    Case {
        name: format!("bare {given}"),
        answer: Answer {
            status: Some(given),
            body: Some(Body::Text(String::new())),
            ..Answer::default()
        },
        status,
        attempts,
        rest,
    }
}

const NONE: (usize, &str) = (0, "CoolingDown");

#[rustfmt::skip] // one line per error reads as the table it is
fn table() -> Vec<Case> {
    use ErrorKind as E;
    vec![
        // Limits: both keys rest, the second provider serves.
        known(E::RateLimitExceeded, 200, 2, (2, "CoolingDown")),
        known(E::TokenLimitExceeded, 200, 2, (2, "CoolingDown")),
        known(E::SlowDown, 200, 2, (2, "CoolingDown")),
        // Larger than what a key may have: once on another key, then on the second provider, and nothing rests.
        known(E::RequestTooLarge, 200, 2, NONE),
        // No money.
        known(E::InsufficientQuota, 200, 2, (2, "Exhausted")),
        known(E::CreditBalanceExhausted, 200, 2, (2, "Exhausted")),
        known(E::OrganizationSpendLimitExceeded, 200, 2, (2, "Exhausted")),
        known(E::OrganizationUsageLimitExceeded, 200, 2, (2, "Exhausted")),
        known(E::ProjectSpendLimitExceeded, 200, 2, (2, "Exhausted")),
        known(E::BillingNotActive, 200, 2, (2, "Exhausted")),
        known(E::BillingHardLimitReached, 200, 2, (2, "Exhausted")),
        bare(402, 200, 2, (2, "Exhausted")),
        // The key itself, by a code that no request can earn.
        known(E::InvalidApiKey, 200, 2, (2, "CoolingDown")),
        known(E::AccountDeactivated, 200, 2, (2, "CoolingDown")),
        known(E::ModelNotFound, 200, 2, (2, "CoolingDown")),
        known(E::ModelForbidden, 200, 2, (2, "CoolingDown")),
        // What the request may have earned: one key rests.
        known(E::NotInOrganization, 200, 2, (1, "CoolingDown")),
        known(E::NoApiKey, 200, 2, (1, "CoolingDown")),
        known(E::MissingScopes, 200, 2, (1, "CoolingDown")),
        known(E::MissingScopesForbidden, 200, 2, (1, "CoolingDown")),
        bare(401, 200, 2, (1, "CoolingDown")),
        bare(403, 200, 2, (1, "CoolingDown")),
        bare(429, 200, 2, (1, "CoolingDown")),
        // The request.
        known(E::ContextLengthExceeded, 400, 1, NONE),
        known(E::ContentPolicyViolation, 400, 1, NONE),
        known(E::InvalidEncryptedContent, 400, 1, NONE),
        known(E::BadRequest, 400, 1, NONE),
        bare(400, 400, 1, NONE),
        bare(409, 409, 1, NONE),
        bare(413, 413, 1, NONE),
        bare(418, 418, 1, NONE),
        bare(422, 422, 1, NONE),
        // The provider: no key, another provider.
        known(E::IpNotAuthorized, 200, 1, NONE),
        known(E::UnsupportedCountryRegionTerritory, 200, 1, NONE),
        known(E::ServerIsOverloaded, 200, 1, NONE),
        known(E::ServerError, 200, 1, NONE),
        known(E::BadGateway, 200, 1, NONE),
        bare(404, 200, 1, NONE),
        bare(405, 200, 1, NONE),
        bare(500, 200, 1, NONE),
        bare(502, 200, 1, NONE),
        bare(503, 200, 1, NONE),
        bare(529, 200, 1, NONE),
        // It may have worked on it: nobody else is asked.
        known(E::GatewayTimeout, 504, 1, NONE),
        bare(408, 408, 1, NONE),
        bare(504, 504, 1, NONE),
        bare(524, 524, 1, NONE),
    ]
}

fn secure(keys: &[&str]) -> FakeProvider {
    FakeProvider::start(provider_options(keys).tls(&[])).unwrap()
}

async fn start(bad: &FakeProvider, good: &FakeProvider) -> Rig {
    Setup::new()
        .openai("a", bad, &KEYS)
        .openai("b", good, &["b0"])
        .start()
        .await
}

#[tokio::test]
async fn each_error_has_its_consequence_and_no_other() {
    let (bad, good) = (secure(&KEYS), secure(&["b0"]));
    let mut wrong = Vec::new();
    for case in table() {
        for streamed in [false, true] {
            bad.clear_rules();
            bad.clear_log();
            good.clear_log();
            bad.add_rule(Rule::new(case.answer.clone()));
            let rig = start(&bad, &good).await;
            let reply = if streamed {
                rig.stream().await
            } else {
                rig.chat().await
            };
            let mut keys = keys_asked(&bad);
            let attempts = keys.len();
            keys.sort();
            keys.dedup();
            let states = rig.states("a", &KEYS).await;
            let rest = states.iter().filter(|state| *state == case.rest.1).count();
            let others = states.iter().filter(|state| *state == "Unknown").count();
            let seen = (reply.status, attempts, keys.len(), rest, others);
            let want = (
                case.status,
                case.attempts,
                case.attempts,
                case.rest.0,
                KEYS.len() - case.rest.0,
            );
            if seen != want {
                wrong.push(format!(
                    "{} {streamed}: {seen:?}, not {want:?}: {}",
                    case.name,
                    reply.text()
                ));
            }
            assert_eq!(
                rig.state("b", "b0").await,
                if case.status == 200 { "Healthy" } else { "Unknown" }
            );
            assert_eq!(
                asked(&good).len(),
                usize::from(case.status == 200),
                "{}",
                case.name
            );
            if case.status != 200 {
                // The provider's own words, untouched.
                let entry = asked(&bad).pop().unwrap();
                assert_eq!(sha256_hex(&reply.body), entry.response_sha256, "{}", case.name);
            }
            if matches!(case.status, 408 | 504 | 524) {
                assert_eq!(reply.header("x-should-retry"), Some("false"), "{}", case.name);
            }
            rig.finish(&[&bad, &good]).await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_request_too_big_for_every_limit_gets_the_providers_words_and_is_not_repeated() {
    let (bad, backup) = (secure(&KEYS), secure(&["b0"]));
    for fake in [&bad, &backup] {
        fake.add_rule(Rule::new(
            Answer::error(ErrorKind::RequestTooLarge).header("retry-after", "7"),
        ));
    }
    let rig = start(&bad, &backup).await;
    let reply = rig.chat().await;
    assert_eq!((asked(&bad).len(), asked(&backup).len()), (2, 1));
    let entry = asked(&backup).pop().unwrap();
    assert_eq!(
        (reply.status, sha256_hex(&reply.body)),
        (429, entry.response_sha256)
    );
    // No waiting makes it fit.
    assert_eq!(reply.header("x-should-retry"), Some("false"));
    assert_eq!(reply.header("retry-after"), None);
    rig.finish(&[&bad, &backup]).await;
}

type Headers = &'static [(&'static str, &'static str)];

/// Forms of a hint, and between what seconds the key then rests (a little less than the hint has passed by then, and up to
/// a fifth may be added).
#[rustfmt::skip] // one line per form reads as the table it is
const HINTS: [(Headers, f64, f64); 40] = [
    (&[("retry-after", "45")], 40.0, 54.0),
    (&[("retry-after", "0")], 0.0, 0.3),
    (&[("retry-after", "1")], 0.0, 1.2),
    (&[("retry-after", "120")], 115.0, 144.0),
    (&[("retry-after", "7.5")], 2.5, 9.0),
    (&[("retry-after", "00045")], 40.0, 54.0),
    (&[("retry-after", "45s")], 40.0, 54.0),
    (&[("retry-after", "1m30s")], 85.0, 108.0),
    (&[("retry-after", "1h2m3.5s")], 895.0, 1080.0),
    (&[("retry-after", "900")], 895.0, 1080.0),
    (&[("retry-after", "86400")], 895.0, 1080.0),
    (&[("retry-after", "2592000")], 895.0, 1080.0),
    (&[("retry-after", "${httpdate+45}")], 38.0, 54.0),
    (&[("retry-after", "${httpdate+86400}")], 895.0, 1080.0),
    // What cannot be believed counts as no hint: 60 s.
    (&[("retry-after", "${httpdate-45}")], 55.0, 72.0),
    (&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")], 55.0, 72.0),
    (&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], 55.0, 72.0),
    (&[("retry-after", "Fri, 40 Nov 2026 10:00:00 GMT")], 55.0, 72.0),
    (&[("retry-after", "-5")], 55.0, 72.0),
    (&[("retry-after", "+5")], 55.0, 72.0),
    (&[("retry-after", "NaN")], 55.0, 72.0),
    (&[("retry-after", "inf")], 55.0, 72.0),
    (&[("retry-after", "1e3")], 55.0, 72.0),
    (&[("retry-after", "0x10")], 55.0, 72.0),
    (&[("retry-after", "soon")], 55.0, 72.0),
    (&[("retry-after", "")], 55.0, 72.0),
    (&[("retry-after", "1,2")], 55.0, 72.0),
    (&[("retry-after", "99999999999999999999999999")], 55.0, 72.0),
    (&[("retry-after", "18446744073709551616")], 55.0, 72.0),
    (&[("retry-after", "9999999h")], 55.0, 72.0),
    // Milliseconds are more exact.
    (&[("retry-after-ms", "90000")], 85.0, 108.0),
    (&[("retry-after-ms", "90000"), ("retry-after", "300")], 85.0, 108.0),
    (&[("retry-after-ms", "1e9"), ("retry-after", "300")], 295.0, 360.0),
    (&[("retry-after-ms", "-1")], 55.0, 72.0),
    (&[("retry-after-ms", "99999999999999999")], 55.0, 72.0),
    // The reset of a limit that is used up, and of one that is not.
    (&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "2m0s")], 115.0, 144.0),
    (&[("x-ratelimit-remaining-requests", "7"), ("x-ratelimit-reset-requests", "2m0s")], 55.0, 72.0),
    (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "150000ms")], 145.0, 180.0),
    (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "soon")], 55.0, 72.0),
    (&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "2m0s"), ("retry-after", "200")], 195.0, 240.0),
];

#[tokio::test]
async fn a_key_rests_as_long_as_its_provider_says_within_reason() {
    let names: Vec<String> = (0..HINTS.len()).map(|n| format!("h{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let fake = secure(&names);
    for (name, (headers, ..)) in names.iter().zip(HINTS) {
        let answer = headers.iter().fold(
            Answer::error(ErrorKind::RateLimitExceeded),
            |answer, (name, value)| answer.header(name, value),
        );
        fake.add_rule(Rule::new(answer).key(name));
    }
    let rig = Setup::new().openai("a", &fake, &names).start().await;
    // One request meets them all: it rotates as long as there is a key that it has not tried.
    let reply = rig.chat().await;
    assert_eq!(asked(&fake).len(), HINTS.len());
    assert_eq!(
        (reply.status, &*reply.code()),
        (429, "no_usable_key"),
        "{}",
        reply.text()
    );
    for (name, (headers, least, most)) in names.iter().zip(HINTS) {
        let rest = rig.cooldown("a", name).await.unwrap_or(0.0);
        assert!((least..=most).contains(&rest), "{headers:?}: {rest} s");
    }
    rig.finish(&[&fake]).await;
}

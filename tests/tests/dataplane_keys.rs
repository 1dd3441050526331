//! Keys that are refused: rotation, confirmation, poison, budgets, and what is said when nothing can serve.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dataplane {
    pub(crate) mod rig;
    pub(crate) mod wire;
}

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dataplane::rig::{Rig, Setup, asked, chat, key_value, keys_asked, provider, request, until};
use futures::future::join_all;
use keypool_contract::Secret;
use keypool_contract::document::Ambiguous;
use keypool_fake_provider::{
    Answer, Body, CutHow, CutPoint, ErrorKind, FakeProvider, KeyState, Latency, Patterns, Rule,
};

const SECOND: Duration = Duration::from_secs(1);

fn bare(status: u16) -> Answer {
    Answer {
        status: Some(status),
        body: Some(Body::Text(String::new())),
        ..Answer::default()
    }
}

async fn alone(fake: &FakeProvider, keys: &[&str]) -> Rig {
    Setup::new().member("a", fake, keys).start().await
}

#[tokio::test]
async fn nine_bad_keys_and_a_good_one_make_no_client_error_and_cost_one_attempt_each() {
    let bad: [(&str, Answer); 9] = [
        ("k0", Answer::error(ErrorKind::InvalidApiKey)),
        ("k1", Answer::error(ErrorKind::AccountDeactivated)),
        (
            "k2",
            Answer::error(ErrorKind::RateLimitExceeded).header("retry-after", "300"),
        ),
        ("k3", Answer::error(ErrorKind::SlowDown)),
        ("k4", Answer::error(ErrorKind::InsufficientQuota)),
        ("k5", Answer::error(ErrorKind::BillingNotActive)),
        ("k6", Answer::error(ErrorKind::ModelNotFound)),
        ("k7", Answer::error(ErrorKind::OrganizationSpendLimitExceeded)),
        ("k8", bare(402)),
    ];
    let names: Vec<&str> = bad.iter().map(|(name, _)| *name).chain(["good"]).collect();
    let fake = provider(&names);
    for (name, answer) in bad {
        fake.add_rule(Rule::new(answer).key(name));
    }
    let rig = alone(&fake, &names).await;
    for number in 0..200 {
        let before = asked(&fake).len();
        let reply = if number % 2 == 0 {
            rig.chat().await
        } else {
            rig.stream().await
        };
        assert_eq!(
            (reply.status, reply.whole),
            (200, true),
            "{number}: {}",
            reply.text()
        );
        let mut keys = keys_asked(&fake).split_off(before);
        let attempts = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), attempts, "each key at most once per request");
    }
    let counts = fake.counts();
    for name in &names[..9] {
        assert_eq!(
            counts.keys.get(*name).map_or(0, |count| count.requests),
            1,
            "{name}"
        );
    }
    assert_eq!(counts.keys["good"].requests, 200);
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn a_dead_key_is_invalid_once_the_provider_confirmed_it_and_comes_back_with_a_new_value() {
    let keys = ["k0", "k1", "k2"];
    let fake = provider(&keys);
    let mut rig = Setup::new()
        .member("a", &fake, &keys)
        .each_provider(|provider| provider.probe.enabled = true)
        .start()
        .await;
    for key in keys {
        rig.until_state("a", key, "Healthy", 5 * SECOND).await;
    }
    fake.clear_log();
    fake.set_key_state("k1", KeyState::Revoked).unwrap();
    for _ in 0..9 {
        assert_eq!(rig.chat().await.status, 200);
    }
    rig.until_state("a", "k1", "Invalid", 5 * SECOND).await;
    for _ in 0..9 {
        assert_eq!(rig.chat().await.status, 200);
    }
    let counts = fake.counts();
    let refused = &counts.keys["k1"];
    assert_eq!((refused.requests, refused.probes), (1, 1), "{counts:?}");
    assert_eq!(rig.states("a", &["k0", "k2"]).await, ["Healthy", "Healthy"]);

    // A key that may not list models: the validation call proves nothing against it.
    fake.set_key_state("k2", KeyState::ListForbidden).unwrap();
    fake.add_rule(
        Rule::new(Answer::error(ErrorKind::InvalidApiKey))
            .key("k2")
            .path("*/chat/*")
            .times(1),
    );
    for _ in 0..4 {
        assert_eq!(rig.chat().await.status, 200);
    }
    until("the validation call", 5 * SECOND, || {
        fake.counts().keys["k2"].probes > 0
    })
    .await;
    assert_ne!(rig.state("a", "k2").await, "Invalid");

    let value = key_value("k1-new");
    fake.rotate_key("k1", &value).unwrap();
    rig.setup = rig.setup.change(|content| {
        let provider = content.providers.values_mut().next().unwrap();
        provider.credentials[1].key = Some(Secret::parse(value.as_bytes()).unwrap());
        provider.credentials[1].fingerprint = "newvalue".into();
    });
    fake.clear_log();
    rig.write(rig.setup.encoded(2));
    rig.until_state("a", "k1", "Healthy", 5 * SECOND).await;
    for _ in 0..4 {
        assert_eq!(rig.chat().await.status, 200);
    }
    assert!(keys_asked(&fake).contains(&"k1".to_owned()));
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn a_restricted_key_that_may_not_list_models_is_used() {
    for state in [KeyState::ListForbidden, KeyState::ListUnauthorized] {
        let fake = provider(&["k0"]);
        fake.set_key_state("k0", state).unwrap();
        let rig = Setup::new()
            .member("a", &fake, &["k0"])
            .each_provider(|provider| provider.probe.enabled = true)
            .start()
            .await;
        until("the first validation", 5 * SECOND, || {
            fake.counts().keys.get("k0").is_some_and(|count| count.probes > 0)
        })
        .await;
        assert_eq!(rig.state("a", "k0").await, "Unknown", "{state:?}");
        assert_eq!(rig.chat().await.status, 200);
        assert_eq!(rig.state("a", "k0").await, "Healthy");
        rig.finish(&[&fake]).await;
    }
}

/// A server that sends no codes and has no validation call: requests confirm what its bare 401 says.
#[tokio::test]
async fn a_bare_401_is_confirmed_by_a_second_request_where_there_is_no_validation_call() {
    for probed in [false, true] {
        let keys = ["k0", "k1"];
        let fake = provider(&keys);
        let no_such_call = Answer {
            body: Some(Body::Text(r#"{"detail":"Not Found"}"#.into())),
            ..bare(404)
        };
        fake.add_rule(Rule::new(no_such_call).path("*/models"));
        fake.add_rule(Rule::new(bare(401)).key("k0").path("*/chat/*"));
        let rig = Setup::new()
            .member("a", &fake, &keys)
            .each_provider(|provider| {
                provider.probe.enabled = probed;
                provider.cooldown.initial_ms = 250;
            })
            .start()
            .await;
        if probed {
            until("the missing call", 5 * SECOND, || {
                keys.iter()
                    .all(|key| fake.counts().keys.get(*key).is_some_and(|count| count.probes > 0))
            })
            .await;
        }
        let end = Instant::now() + 10 * SECOND;
        while rig.state("a", "k0").await != "Invalid" {
            assert!(Instant::now() < end, "probed: {probed}");
            assert_eq!(rig.chat().await.status, 200);
        }
        assert_eq!(fake.counts().keys["k0"].requests, 2, "probed: {probed}");
        rig.finish(&[&fake]).await;
    }
}

#[tokio::test]
async fn poisonous_requests_cool_one_key_at_a_time_and_the_others_serve_on() {
    const KEYS: [&str; 8] = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"];
    let model = r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","param":null,"code":null}}"#;
    let no_model = Answer {
        body: Some(Body::Text(model.into())),
        ..bare(404)
    };
    for (what, answer, probed) in [
        ("401", bare(401), true),
        ("403", bare(403), true),
        ("404", no_model, false),
        ("429", bare(429), false),
    ] {
        let fake = provider(&KEYS);
        let mut poison = Rule::new(answer).path("*/chat/*");
        poison.when.headers = BTreeMap::from([("x-poison".to_owned(), Patterns::from("yes"))]);
        fake.add_rule(poison);
        let rig = Setup::new()
            .member("a", &fake, &KEYS)
            .each_provider(|provider| provider.probe.enabled = probed)
            .start()
            .await;
        for number in 0..24 {
            let seen = asked(&fake).len();
            let body = chat("gpt", false);
            let reply = rig
                .exchange(request("POST /v1/chat/completions", "x-poison: yes\r\n", &body))
                .await;
            assert_ne!(reply.status, 200);
            let attempts = asked(&fake).len() - seen;
            assert!(
                attempts <= 3,
                "{what}: rotation after a doubtful refusal: {attempts}"
            );
            let states = rig.states("a", &KEYS).await;
            let cold = states.iter().filter(|state| *state == "CoolingDown").count();
            assert!(cold <= 1, "{what} {number}: {states:?}");
            for _ in 0..4 {
                let reply = rig.chat().await;
                assert_eq!(reply.status, 200, "{what} {number}: {}", reply.text());
            }
        }
        for state in rig.states("a", &KEYS).await {
            assert_ne!(state, "Invalid", "{what}");
        }
        rig.finish(&[&fake]).await;
    }
}

#[tokio::test]
async fn when_every_key_rests_the_answer_says_when_and_no_provider_is_asked() {
    for (hint, stops) in [("30", false), ("600", true)] {
        let (a, b) = (provider(&["a0", "a1"]), provider(&["b0"]));
        for fake in [&a, &b] {
            fake.add_rule(Rule::new(
                Answer::error(ErrorKind::RateLimitExceeded).header("retry-after", hint),
            ));
        }
        let rig = Setup::new()
            .member("a", &a, &["a0", "a1"])
            .member("b", &b, &["b0"])
            .start()
            .await;
        for number in 0..5 {
            let began = Instant::now();
            let reply = rig.stream().await;
            assert!(began.elapsed() < SECOND, "{number}");
            assert_eq!(
                (reply.status, &*reply.code()),
                (429, "no_usable_key"),
                "{}",
                reply.text()
            );
            assert!(reply.text().contains("3 keys cooling down"), "{}", reply.text());
            let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
            let millis: u64 = reply.header("retry-after-ms").unwrap().parse().unwrap();
            assert_eq!(millis.div_ceil(1000), seconds);
            let truth = if stops { 60..=60 } else { 25..=36 };
            assert!(truth.contains(&seconds), "{seconds}");
            assert_eq!(reply.header("x-should-retry"), stops.then_some("false"));
            assert_eq!(
                (asked(&a).len(), asked(&b).len()),
                (2, 1),
                "{number}: nobody else is asked"
            );
        }
        rig.finish(&[&a, &b]).await;
    }
}

#[tokio::test]
async fn a_request_that_ends_on_a_limit_says_when_to_come_again() {
    let late = |kind| Answer::error(kind).delayed(Latency::millis(400));
    for (what, answer, seconds) in [
        ("attempts used", bare(429), 4..=6),
        (
            "too late",
            late(ErrorKind::RateLimitExceeded).header("retry-after", "30"),
            25..=36,
        ),
        (
            "too late",
            late(ErrorKind::InsufficientQuota).header("retry-after", "30"),
            25..=36,
        ),
    ] {
        let fake = provider(&["k0"]);
        fake.add_rule(Rule::new(answer));
        let rig = Setup::new()
            .member("a", &fake, &["k0"])
            .retry(|retry| (retry.attempts, retry.deadline_ms) = (1, 200))
            .start()
            .await;
        let reply = rig.chat().await;
        assert_eq!(
            (reply.status, &*reply.code()),
            (429, "no_usable_key"),
            "{what}: {}",
            reply.text()
        );
        let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!(seconds.contains(&after), "{what}: {after}");
        assert_eq!(reply.header("x-should-retry"), Some("false"), "{what}");
        assert_eq!(asked(&fake).len(), 1, "{what}");
        rig.finish(&[&fake]).await;
    }
}

#[tokio::test]
async fn a_rest_ends_when_the_provider_said_and_one_request_tries_first() {
    let fake = provider(&["k0"]);
    fake.add_rule(Rule::new(Answer::error(ErrorKind::RateLimitExceeded).header("retry-after", "1")).times(1));
    fake.add_rule(Rule::new(Answer::default().delayed(Latency::millis(300))).times(1));
    let rig = alone(&fake, &["k0"]).await;
    assert_eq!(rig.chat().await.status, 429);
    // Many clients wait for it; each comes again as soon as it is refused.
    let began = Instant::now();
    let clients = (0..8).map(|_| async {
        while rig.chat().await.status != 200 {
            assert!(began.elapsed() < 5 * SECOND, "it does not come back");
            tokio::task::yield_now().await;
        }
    });
    join_all(clients).await;
    let log = asked(&fake);
    let rest = log[1].at_ms - log[0].at_ms;
    assert!((1_000.0..2_000.0).contains(&rest), "{rest}");
    // The others came when the one that tried had its answer.
    let answered = log[1].ended_ms.unwrap();
    for entry in &log[2..] {
        assert!(entry.at_ms >= answered - 5.0, "{} before {answered}", entry.at_ms);
    }
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn an_outage_is_not_multiplied_by_our_retries() {
    const CLIENTS: usize = 200;
    let (bad, good) = (provider(&["a0"]), provider(&["b0"]));
    // All of them are under way before the first fails, so that no breaker helps.
    bad.add_rule(Rule::new(
        Answer::error(ErrorKind::ServerError).delayed(Latency::millis(1_500)),
    ));
    let rig = Setup::new()
        .member("a", &bad, &["a0"])
        .member("b", &good, &["b0"])
        .start()
        .await;
    let replies = join_all((0..CLIENTS).map(|_| rig.chat())).await;
    let served = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(asked(&bad).len(), CLIENTS);
    assert_eq!(asked(&good).len(), 30, "a tenth, but thirty always");
    assert_eq!(served, 30);
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(reply.status, 500);
        assert_eq!(reply.header("x-should-retry"), Some("false"));
    }
    // Afterwards the breaker is open, and the second provider serves without a detour.
    assert_eq!(rig.chat().await.status, 200);
    assert_eq!(asked(&bad).len(), CLIENTS);
    assert_eq!(rig.states("a", &["a0"]).await, ["Unknown"]);
    rig.finish(&[&bad, &good]).await;
}

#[tokio::test]
async fn what_may_have_run_is_repeated_once_and_only_where_that_is_allowed() {
    for (ambiguous, broken, want, asks) in [
        (Ambiguous::Never, 1, 504, [1, 0, 0]),
        (Ambiguous::Allow, 1, 200, [1, 1, 0]),
        (Ambiguous::Allow, 2, 504, [1, 1, 0]),
    ] {
        let fakes = [provider(&["a0"]), provider(&["b0"]), provider(&["c0"])];
        for fake in &fakes[..broken] {
            fake.add_rule(Rule::new(Answer::cut(CutPoint::BeforeHead, CutHow::Reset)));
        }
        let rig = Setup::new()
            .member("a", &fakes[0], &["a0"])
            .member("b", &fakes[1], &["b0"])
            .member("c", &fakes[2], &["c0"])
            .retry(|retry| retry.ambiguous = ambiguous)
            .start()
            .await;
        let reply = rig.chat().await;
        assert_eq!(reply.status, want, "{ambiguous:?} {broken}: {}", reply.text());
        let seen = fakes.each_ref().map(|fake| asked(fake).len());
        assert_eq!(seen, asks, "{ambiguous:?} {broken}");
        rig.finish(&fakes.each_ref()).await;
    }
}

#[tokio::test]
async fn no_attempt_starts_after_the_deadline() {
    for answer in [
        Answer::error(ErrorKind::RateLimitExceeded),
        Answer::error(ErrorKind::ServerError),
    ] {
        let (bad, good) = (provider(&["a0", "a1"]), provider(&["b0"]));
        bad.add_rule(Rule::new(answer.delayed(Latency::millis(400))));
        let rig = Setup::new()
            .member("a", &bad, &["a0", "a1"])
            .member("b", &good, &["b0"])
            .retry(|retry| retry.deadline_ms = 200)
            .start()
            .await;
        let reply = rig.chat().await;
        assert!(reply.status >= 429, "{}", reply.text());
        assert_eq!(reply.header("x-should-retry"), Some("false"));
        assert_eq!((asked(&bad).len(), asked(&good).len()), (1, 0));
        rig.finish(&[&bad, &good]).await;
    }
}

//! Faults of a provider's endpoint: they are the provider's, and no key is touched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dataplane {
    pub(crate) mod rig;
    pub(crate) mod wire;
}

use std::time::{Duration, Instant};

use dataplane::rig::{Rig, Setup, asked, provider, provider_options, until};
use keypool_fake_provider::{Answer, CloseHow, FakeProvider, ListenerMode, ListenerName, Rule, TlsFault};
use keypool_tests::wait;

const SECOND: Duration = Duration::from_secs(1);

/// Nothing is known against the keys of `a`, and no request for inference came with one.
async fn assert_untouched(rig: &Rig, what: &str) {
    let state = rig.state("a", "a0").await;
    assert!(matches!(&*state, "Unknown" | "Healthy"), "{what}: {state}");
    assert_eq!(rig.cooldown("a", "a0").await, None, "{what}");
}

#[tokio::test]
async fn tls_faults_are_the_providers_and_end_within_the_connect_timeout() {
    for (fault, cause) in [
        (TlsFault::Expired, "not valid at this time"),
        (TlsFault::WrongName, "for another name"),
        (TlsFault::UnknownCa, "not trusted"),
        (TlsFault::Stall, "took too long"),
        (TlsFault::Close, "handshake failed"),
        (TlsFault::Plaintext, "handshake failed"),
    ] {
        let secure = FakeProvider::start(provider_options(&["a0"]).tls(&[])).unwrap();
        let good = provider(&["b0"]);
        secure.set_tls_fault(fault);
        let setup = || {
            Setup::new()
                .openai("a", &secure, &["a0"])
                .each_provider(|provider| provider.timeouts.connect_ms = 500)
        };
        let rig = setup().start().await;
        let began = Instant::now();
        let reply = rig.chat().await;
        assert!(began.elapsed() < 2 * SECOND, "{fault:?}: {:?}", began.elapsed());
        assert_eq!(
            (reply.status, &*reply.code()),
            (503, "provider_down"),
            "{fault:?}: {}",
            reply.text()
        );
        assert!(reply.text().contains(cause), "{fault:?}: {}", reply.text());
        // Often enough for the breaker: then nobody waits for the handshake any more.
        for _ in 0..6 {
            assert_eq!(rig.chat().await.status, 503);
        }
        let began = Instant::now();
        assert_eq!(rig.chat().await.status, 503);
        assert!(began.elapsed() < SECOND / 4, "{fault:?}: {:?}", began.elapsed());
        assert_untouched(&rig, &format!("{fault:?}")).await;
        rig.finish(&[&secure]).await;

        // Where there is another provider, no client notices.
        let rig = setup().member("b", &good, &["b0"]).start().await;
        for _ in 0..8 {
            assert_eq!(
                rig.chat().await.header("x-keypool-member"),
                Some("b"),
                "{fault:?}"
            );
        }
        assert_untouched(&rig, &format!("{fault:?}")).await;
        assert!(secure.log(0).is_empty(), "{fault:?}: a key was sent");
        rig.finish(&[&secure, &good]).await;
    }
}

#[tokio::test]
async fn a_certificate_of_nobody_we_know_and_a_name_that_is_not_there() {
    let secure = FakeProvider::start(provider_options(&["a0"]).tls(&["provider.example"])).unwrap();
    let port = secure.addresses().https.unwrap().port();
    // The public roots are replaced, never joined, by the provider's bundle; without one they alone count.
    let rig = Setup::new()
        .openai("a", &secure, &["a0"])
        .each_provider(|provider| provider.ca_bundle = None)
        .start()
        .await;
    let reply = rig.chat().await;
    assert_eq!((reply.status, &*reply.code()), (503, "provider_down"));
    assert!(reply.text().contains("not trusted"), "{}", reply.text());
    rig.finish(&[&secure]).await;

    let named = |name: &str| {
        let url = format!("https://{name}:{port}/v1");
        Setup::new()
            .openai("a", &secure, &["a0"])
            .each_provider(|provider| provider.url = url.clone())
    };
    let rig = named("provider.example")
        .resolve(&format!("provider.example:{port}:127.0.0.1"))
        .start()
        .await;
    assert_eq!(
        rig.chat().await.status,
        200,
        "the name is checked, not the address"
    );
    rig.finish(&[&secure]).await;

    let rig = named("other.example")
        .resolve(&format!("other.example:{port}:127.0.0.1"))
        .start()
        .await;
    assert!(rig.chat().await.text().contains("for another name"));
    rig.finish(&[&secure]).await;

    let rig = named("no-such-host.invalid").start().await;
    let began = Instant::now();
    let reply = rig.chat().await;
    assert!(began.elapsed() < 4 * SECOND, "{:?}", began.elapsed());
    assert_eq!(
        (reply.status, &*reply.code()),
        (503, "provider_down"),
        "{}",
        reply.text()
    );
    assert_untouched(&rig, "DNS").await;
    rig.finish(&[&secure]).await;
    assert_eq!(asked(&secure).len(), 1);
}

#[tokio::test]
async fn connections_that_are_refused_broken_or_silent_touch_no_key() {
    for (mode, statuses) in [
        (ListenerMode::Refuse, &[503][..]),
        (ListenerMode::CloseAfterAccept, &[503, 504]),
        (ListenerMode::ResetAfterAccept, &[503, 504]),
        (ListenerMode::Silent, &[504]),
    ] {
        let fake = provider(&["a0"]);
        assert!(fake.set_listener(ListenerName::Http, mode).await);
        let rig = Setup::new()
            .member("a", &fake, &["a0"])
            .each_provider(|provider| {
                provider.timeouts.connect_ms = 500;
                provider.timeouts.response_ms = 500;
                provider.timeouts.first_event_ms = 500;
            })
            .start()
            .await;
        for _ in 0..2 {
            let began = Instant::now();
            let reply = rig.stream().await;
            assert!(began.elapsed() < 2 * SECOND, "{mode:?}: {:?}", began.elapsed());
            assert!(
                statuses.contains(&reply.status),
                "{mode:?}: {} {}",
                reply.status,
                reply.text()
            );
            assert_eq!(reply.header("x-should-retry"), Some("false"), "{mode:?}");
        }
        assert_untouched(&rig, &format!("{mode:?}")).await;
        rig.finish(&[&fake]).await;
    }
}

#[tokio::test]
async fn a_connection_that_the_provider_closed_while_idle_costs_nothing() {
    let fake = provider(&["a0"]);
    let rig = Setup::new().member("a", &fake, &["a0"]).start().await;
    for how in [CloseHow::Close, CloseHow::Reset] {
        for number in 0..20 {
            assert_eq!(rig.chat().await.status, 200, "{how:?} {number}");
            fake.close_connections(how);
            until("the connection to be gone", SECOND, || {
                fake.counts().open_connections == 0
            })
            .await;
        }
    }
    assert_eq!(asked(&fake).len(), 40, "each request was sent once");
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn the_breaker_opens_tries_once_and_closes_when_the_provider_is_back() {
    let fake = provider(&["a0"]);
    let rig = Setup::new().member("a", &fake, &["a0"]).start().await;
    assert_eq!(rig.chat().await.status, 200);
    let name = fake.add_rule(Rule::new(Answer::status(500)));
    let seen = asked(&fake).len();
    let mut last = 200;
    for _ in 0..12 {
        last = rig.chat().await.status;
    }
    let failed = asked(&fake).len() - seen;
    assert_eq!((failed, last), (5, 503), "five in a row open it");
    let reply = rig.chat().await;
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    fake.remove_rule(&name);
    // Clients that come all the time: one of them tries, the provider sees no rush.
    let opened = Instant::now();
    wait::until("the provider to be used again", 8 * SECOND, async || {
        let reply = rig.chat().await;
        if reply.status == 200 {
            Ok(())
        } else {
            Err(reply.text())
        }
    })
    .await
    .unwrap();
    assert!(opened.elapsed() > 4 * SECOND, "{:?}", opened.elapsed());
    assert_eq!(asked(&fake).len(), seen + failed + 1);
    assert_eq!(rig.chat().await.status, 200);
    rig.finish(&[&fake]).await;
}

#[tokio::test]
async fn redirects_are_not_followed_and_no_key_goes_elsewhere() {
    let (fake, elsewhere) = (provider(&["a0"]), provider(&["a0"]));
    let there = elsewhere.addresses().http.unwrap();
    for status in [301, 302, 303, 307, 308] {
        for location in [
            format!("http://{there}/v1/chat/completions"),
            format!("//{there}/v1/chat/completions"),
            "/v1/models".to_owned(),
        ] {
            fake.clear_rules();
            fake.clear_log();
            fake.add_rule(Rule::new(
                Answer::redirect(status, &location).header("alt-svc", &format!("http/1.1=\"{there}\"")),
            ));
            let rig = Setup::new().member("a", &fake, &["a0"]).start().await;
            let reply = rig.chat().await;
            assert!(
                (500..600).contains(&reply.status),
                "{status} {location}: {}",
                reply.status
            );
            for name in ["location", "alt-svc", "refresh"] {
                assert_eq!(reply.header(name), None, "{status} {location}");
            }
            assert!(asked(&fake).len() <= 3);
            assert_untouched(&rig, &location).await;
            rig.finish(&[&fake]).await;
        }
    }
    assert_eq!(elsewhere.counts().connections, 0);
}

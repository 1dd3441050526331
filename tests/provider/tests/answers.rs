//! What is answered, seen from outside by a client that reads bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{ask, chat, dechunk, get, header, post, status};
use keypool_fake_provider::{
    Answer, Body, ErrorKind, FakeProvider, Key, KeyState, Latency, Limit, Options, Outcome, Patterns, Rule,
    Scenario, Stream, sha256_hex,
};

fn two_keys() -> FakeProvider {
    FakeProvider::start(Options::with_keys([
        Key::new("a", "sk-test-aaaaaaaaWXYZ"),
        Key::new("b", "sk-test-bbbbbbbbWXYZ"),
    ]))
    .unwrap()
}

const A: &str = "sk-test-aaaaaaaaWXYZ";
const B: &str = "sk-test-bbbbbbbbWXYZ";

#[test]
fn the_same_request_gets_the_same_bytes_and_another_does_not() {
    let fake = two_keys();
    let (head, first) = ask(&fake, &chat(A, false));
    assert_eq!(
        (status(&head), header(&head, "content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(ask(&fake, &chat(B, false)).1, first);
    let other = r#"{"model":"gpt-4o","messages":[]}"#;
    assert_ne!(ask(&fake, &post("/v1/chat/completions", A, other)).1, first);
}

#[test]
fn a_stream_ends_with_done_and_the_log_knows_its_hash() {
    let fake = two_keys();
    let (head, body) = ask(&fake, &chat(A, true));
    assert!(
        header(&head, "content-type")
            .unwrap()
            .starts_with("text/event-stream")
    );
    assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    assert_eq!(body.matches("data: ").count(), 51);
    let log = fake.log(0);
    assert_eq!(
        (log[0].outcome, log[0].key.as_str(), log[0].parts_sent),
        (Outcome::Complete, "a", 51)
    );
    assert_eq!(log[0].response_sha256, sha256_hex(body.as_bytes()));
    assert_eq!(log[0].key_sha256, sha256_hex(A.as_bytes()));
    assert_eq!(log[0].request_id, header(&head, "x-request-id").unwrap());
}

#[test]
fn keys_are_revoked_rotated_and_restricted() {
    let fake = two_keys();
    fake.set_key_state("a", KeyState::Revoked).unwrap();
    let (head, body) = ask(&fake, &chat(A, false));
    assert_eq!(status(&head), 401);
    assert!(
        body.contains("invalid_api_key") && body.contains("sk-test-********WXYZ"),
        "{body}"
    );
    fake.rotate_key("a", "sk-new").unwrap();
    assert_eq!(status(&ask(&fake, &chat("sk-new", false)).0), 200);
    assert_eq!(status(&ask(&fake, &chat(A, false)).0), 401);
    for (state, expected) in [(KeyState::ListForbidden, 403), (KeyState::ListUnauthorized, 401)] {
        fake.set_key_state("b", state).unwrap();
        let (head, body) = ask(&fake, &get("/v1/models", B));
        assert_eq!(status(&head), expected);
        assert!(body.contains("Missing scopes"), "{body}");
        assert_eq!(status(&ask(&fake, &chat(B, false)).0), 200);
    }
    assert!(fake.set_key_state("nobody", KeyState::Active).is_err());
    assert_eq!(fake.counts().keys["b"].probes, 2);
}

#[test]
fn a_limit_counts_and_tells_so() {
    let limit = Limit {
        requests_per_minute: Some(2),
        ..Limit::default()
    };
    let keys = [("a", A), ("b", B)].map(|(name, value)| Key {
        group: Some("org".into()),
        ..Key::new(name, value)
    });
    let scenario = Scenario {
        keys: keys.into(),
        limits: vec![limit],
        ..Scenario::default()
    };
    let fake = FakeProvider::start(Options {
        scenario,
        ..Options::default()
    })
    .unwrap();
    let (head, _) = ask(&fake, &chat(A, false));
    assert_eq!(header(&head, "x-ratelimit-limit-requests"), Some("2"));
    assert_eq!(header(&head, "x-ratelimit-remaining-requests"), Some("1"));
    ask(&fake, &chat(A, false));
    let (head, body) = ask(&fake, &chat(B, false));
    assert_eq!(status(&head), 429);
    assert!(body.contains("rate_limit_exceeded"), "{body}");
    let retry: u64 = header(&head, "retry-after").unwrap().parse().unwrap();
    assert!((29..=30).contains(&retry), "{retry}");
    assert_eq!(header(&head, "x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(status(&ask(&fake, &get("/v1/models", A)).0), 200);
}

#[test]
fn a_running_stream_holds_its_concurrency_slot() {
    let limit = Limit {
        concurrency: Some(1),
        ..Limit::default()
    };
    let scenario = Scenario {
        limits: vec![limit],
        ..Scenario::default()
    };
    let fake = FakeProvider::start(Options {
        scenario,
        ..Options::default()
    })
    .unwrap();
    let stall = Answer {
        first_event: Some(Latency::millis(3_600_000)),
        ..Answer::default()
    };
    fake.add_rule(Rule::new(stall).times(1));
    let mut running = common::connect(&fake);
    std::io::Write::write_all(&mut running, chat("x", true).as_bytes()).unwrap();
    common::until("the stream runs", || {
        fake.log(0).first().is_some_and(|entry| entry.status == Some(200))
    });
    assert_eq!(status(&ask(&fake, &chat("x", false)).0), 429);
    drop(running);
    common::until("the slot is free", || {
        status(&ask(&fake, &chat("x", false)).0) == 200
    });
}

#[test]
fn scripted_errors_come_so_often_and_then_it_is_normal() {
    let fake = two_keys();
    fake.add_rule(
        Rule::new(Answer::error(ErrorKind::InsufficientQuota).header("retry-after", "-1"))
            .key("a")
            .times(2),
    );
    for _ in 0..2 {
        let (head, body) = ask(&fake, &chat(A, false));
        assert_eq!((status(&head), header(&head, "retry-after")), (429, Some("-1")));
        assert!(body.contains("insufficient_quota"), "{body}");
    }
    assert_eq!(status(&ask(&fake, &chat(A, false)).0), 200);
    assert_eq!(status(&ask(&fake, &chat(B, false)).0), 200);
    assert_eq!(fake.log(0)[0].rule.as_deref(), Some("rule-1"));
}

#[test]
fn redirects_pages_echoes_and_encodings() {
    let fake = two_keys();
    let tell = |answer: Answer| {
        fake.clear_rules();
        fake.add_rule(Rule::new(answer));
        ask(&fake, &chat(A, false))
    };
    let (head, _) = tell(Answer::redirect(307, "http://elsewhere.invalid/"));
    assert_eq!(
        (status(&head), header(&head, "location")),
        (307, Some("http://elsewhere.invalid/"))
    );
    let (head, body) = tell(Answer {
        html: true,
        status: Some(502),
        ..Answer::default()
    });
    assert_eq!(
        (status(&head), header(&head, "content-type")),
        (502, Some("text/html"))
    );
    assert!(body.starts_with("<html>"));
    let (head, body) = tell(Answer {
        echo: true,
        ..Answer::default()
    });
    assert_eq!(
        header(&head, "x-echo-authorization"),
        Some(format!("Bearer {A}").as_str())
    );
    let value: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(value["echo"]["headers"].to_string().contains(A) && value["choices"].is_array());
    let (head, body) = tell(Answer {
        gzip: true,
        ..Answer::default()
    });
    assert_eq!(header(&head, "content-encoding"), Some("gzip"));
    assert!(!body.starts_with('{'));
    let (head, _) = tell(Answer {
        head_padding: 100_000,
        ..Answer::default()
    });
    assert!(head.len() > 100_000);
    let body = Some(Body::Text("leaked ${key} of ${keyName}".to_owned()));
    assert_eq!(
        tell(Answer {
            status: Some(200),
            body,
            ..Answer::default()
        })
        .1,
        format!("leaked {A} of a")
    );
}

#[test]
fn an_error_event_comes_in_band() {
    let fake = two_keys();
    let stream = Stream {
        error_after: Some(3),
        error: Some(ErrorKind::ServerIsOverloaded),
        ..Stream::default()
    };
    fake.add_rule(Rule::new(Answer {
        stream: Some(stream),
        ..Answer::default()
    }));
    let (head, body) = ask(&fake, &chat(A, true));
    assert_eq!((status(&head), body.matches("data: ").count()), (200, 4));
    assert!(
        body.contains(r#"data: {"error":"#) && !body.contains("[DONE]"),
        "{body}"
    );
}

#[test]
fn models_are_listed_found_and_not_found() {
    let scenario = Scenario {
        models: vec!["m1".into()],
        ..Scenario::default()
    };
    let fake = FakeProvider::start(Options {
        scenario,
        ..Options::default()
    })
    .unwrap();
    let (_, body) = ask(&fake, &get("/v1/models", "x"));
    assert!(body.contains(r#""id":"m1""#), "{body}");
    assert_eq!(status(&ask(&fake, &get("/v1/models/m1", "x")).0), 200);
    assert_eq!(status(&ask(&fake, &get("/v1/models/m2", "x")).0), 404);
    assert_eq!(status(&ask(&fake, &chat("x", false)).0), 404);
    assert_eq!(status(&ask(&fake, &post("/v1/other", "x", "{}")).0), 404);
}

#[test]
fn bad_requests_are_told_as_the_vendor_does() {
    let fake = two_keys();
    for body in [
        "",
        "[]",
        "{",
        r#"{"messages":[]}"#,
        r#"{"model":"m"}"#,
        r#"{"model":"m","messages":[],"stream":"yes"}"#,
    ] {
        let (head, answer) = ask(&fake, &post("/v1/chat/completions", A, body));
        assert_eq!(status(&head), 400, "{body}: {answer}");
    }
    let nobody = chat("", false).replace("authorization: Bearer \r\n", "");
    assert!(ask(&fake, &nobody).1.contains("didn't provide an API key"));
}

#[test]
fn a_key_may_be_kept_from_models() {
    let key = Key {
        models: Patterns::from("gpt-3*"),
        ..Key::new("a", A)
    };
    let fake = FakeProvider::start(Options::with_keys([key])).unwrap();
    let (head, body) = ask(&fake, &chat(A, false));
    assert_eq!(status(&head), 404);
    assert!(body.contains("model_not_found"));
}

#[test]
fn a_chunked_json_body_has_no_length() {
    let fake = two_keys();
    let (_, plain) = ask(&fake, &chat(A, false));
    fake.add_rule(Rule::new(Answer {
        chunked: true,
        ..Answer::default()
    }));
    let (head, body) = ask(&fake, &chat(A, false));
    assert_eq!(header(&head, "content-length"), None);
    assert_eq!(body, plain);
    assert_eq!(dechunk("3\r\nabc\r\n0\r\n\r\n"), "abc");
}

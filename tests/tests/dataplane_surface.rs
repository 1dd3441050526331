//! What clients and providers see of each other: models and paths, headers, keys in errors, documents that change.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dataplane {
    pub(crate) mod rig;
    pub(crate) mod wire;
}
#[path = "dataplane/surface/documents.rs"]
mod documents;

use std::collections::BTreeSet;
use std::time::Duration;

use dataplane::rig::{CLIENT_KEY, Rig, Setup, asked, chat, key_value, post, provider, request};
use keypool_contract::document::{Header, UnknownModel};
use keypool_fake_provider::{Answer, ErrorKind, FakeProvider, Rule, Stream, sha256_hex};

const LIMIT: Duration = Duration::from_secs(5);

async fn get(rig: &Rig, path: &str) -> (u16, serde_json::Value) {
    let reply = rig.exchange(request(&format!("GET {path}"), "", "")).await;
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

fn two_members(a: &FakeProvider, b: &FakeProvider) -> Setup {
    Setup::new()
        .member("a", a, &["a0"])
        .member("b", b, &["b0"])
        .change(|content| content.groups[0].members[1].aliases = vec!["fast".into()])
}

#[tokio::test]
async fn a_name_in_the_request_chooses_members_and_the_provider_sees_its_own_model() {
    let (a, b) = (provider(&["a0"]), provider(&["b0"]));
    let rig = two_members(&a, &b).start().await;
    for (model, member) in [
        ("gpt", "a"),
        ("chat", "a"),
        ("a", "a"),
        ("model-a", "a"),
        ("b", "b"),
        ("fast", "b"),
        ("model-b", "b"),
        ("f\\u0061st", "b"),
    ] {
        for path in ["/v1", "/g/chat/v1"] {
            let line = format!("POST {path}/chat/completions");
            let reply = rig.exchange(request(&line, "", &chat(model, false))).await;
            assert_eq!(reply.status, 200, "{model}: {}", reply.text());
            assert_eq!(reply.header("x-keypool-member"), Some(member), "{model}");
            let entry = asked(if member == "a" { &a } else { &b }).pop().unwrap();
            assert_eq!(entry.model.unwrap(), format!("model-{member}"));
            assert_eq!(entry.path, "/v1/chat/completions");
            // Nothing but the model is another.
            let want = chat(&format!("model-{member}"), false);
            assert_eq!(entry.body.unwrap(), want, "{model}");
        }
    }
    let embedding = r#"{"input":"x","model":"gpt"}"#;
    let reply = rig.exchange(request("POST /v1/embeddings", "", embedding)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(asked(&a).pop().unwrap().path, "/v1/embeddings");
    let absent = r#"{"messages":[]}"#;
    assert_eq!(rig.exchange(post(absent)).await.status, 200);
    assert_eq!(asked(&a).pop().unwrap().model.unwrap(), "model-a");

    let count = asked(&a).len() + asked(&b).len();
    let reply = rig.exchange(post(&chat("gpt-9", false))).await;
    assert_eq!((reply.status, &*reply.code()), (404, "model_not_found"));
    for name in ["chat", "gpt", "fast"] {
        assert!(reply.text().contains(name), "{}", reply.text());
    }
    let (status, models) = get(&rig, "/v1/models").await;
    let ids: BTreeSet<_> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert_eq!((status, &models["object"]), (200, &serde_json::json!("list")));
    for name in ["chat", "gpt", "a", "b", "fast", "model-a", "model-b"] {
        assert!(ids.contains(name), "{name} of {ids:?}");
        let (status, model) = get(&rig, &format!("/g/chat/v1/models/{name}")).await;
        assert_eq!((status, model["id"].as_str()), (200, Some(name)));
    }
    assert_eq!(get(&rig, "/v1/models/gpt-9").await.0, 404);
    assert_eq!(
        asked(&a).len() + asked(&b).len(),
        count,
        "models are answered here"
    );
    rig.finish(&[&a, &b]).await;
}

#[tokio::test]
async fn an_unknown_model_is_balanced_where_that_is_wanted() {
    let (a, b) = (provider(&["a0"]), provider(&["b0"]));
    let rig = two_members(&a, &b)
        .change(|content| content.groups[0].unknown_model = UnknownModel::Balance)
        .start()
        .await;
    assert_eq!(rig.exchange(post(&chat("gpt-9", true))).await.status, 200);
    assert_eq!(asked(&a)[0].model.as_deref(), Some("model-a"));
    rig.finish(&[&a, &b]).await;
}

/// Headers that concern a client's account, session or place, and their lines.
const OF_THE_CLIENT: [&str; 20] = [
    "cookie",
    "origin",
    "referer",
    "openai-organization",
    "openai-project",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "xi-api-key",
    "proxy-authorization",
    "x-forwarded-for",
    "x-forwarded-host",
    "forwarded",
    "x-real-ip",
    "x-keypool-explain",
    "te",
    "keep-alive",
    "anthropic-workspace-id",
    "x-amz-security-token",
    "x-hop",
];

#[tokio::test]
async fn headers_that_concern_one_side_do_not_reach_the_other() {
    let fake = provider(&["a0"]);
    let organisation = Header {
        name: "openai-organization".into(),
        value: "org-of-the-key".into(),
    };
    let rig = Setup::new()
        .member("a", &fake, &["a0"])
        .each_provider(|provider| provider.credentials[0].headers = vec![organisation.clone()])
        .start()
        .await;
    let of_the_provider = [
        "set-cookie",
        "openai-project",
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-tokens",
        "ratelimit",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "alt-svc",
        "www-authenticate",
        "server",
        "x-keypool-member",
        "strict-transport-security",
        "access-control-allow-origin",
    ];
    let mut answer = Answer::default().header("x-of-the-provider", "passes");
    for name in of_the_provider {
        answer = answer.header(name, "spoof");
    }
    for (kind, status) in [(None, 200), (Some(ErrorKind::BadRequest), 400)] {
        fake.clear_rules();
        fake.add_rule(Rule::new(Answer {
            error: kind,
            ..answer.clone()
        }));
        for streamed in [false, true] {
            let mut lines: String = OF_THE_CLIENT
                .iter()
                .map(|name| {
                    format!(
                        "{name}: {}\r\n",
                        if name.ends_with("api-key") {
                            CLIENT_KEY
                        } else {
                            "of-the-client"
                        }
                    )
                })
                .collect();
            lines.push_str(
                "connection: x-hop, authorization\r\nopenai-beta: passes\r\nx-stainless-retry-count: 0\r\n",
            );
            let body = chat("gpt", streamed);
            let reply = rig
                .exchange(request("POST /v1/chat/completions", &lines, &body))
                .await;
            assert_eq!(reply.status, status, "{}", reply.text());
            let entry = asked(&fake).pop().unwrap();
            for (name, value) in &entry.headers {
                assert!(!value.contains("of-the-client"), "{name} reached the provider");
            }
            assert_eq!(
                entry.header("authorization"),
                Some(&*format!("Bearer {}", key_value("a0")))
            );
            assert_eq!(entry.header("openai-organization"), Some("org-of-the-key"));
            assert_eq!(entry.header("openai-beta"), Some("passes"));
            assert_eq!(entry.header("accept-encoding"), Some("identity"));
            assert_eq!(
                entry
                    .headers
                    .iter()
                    .filter(|(name, _)| name == "authorization")
                    .count(),
                1
            );
            assert!(!reply.head.contains("spoof"), "{}", reply.head);
            for name in of_the_provider.iter().filter(|name| **name != "x-keypool-member") {
                assert_eq!(reply.header(name), None, "{name} reached the client");
            }
            assert_eq!(reply.header("openai-organization"), None);
            assert_eq!(reply.header("x-of-the-provider"), Some("passes"));
            assert_eq!(reply.header("x-keypool-member"), Some("a"));
        }
    }
    rig.finish(&[&fake]).await;
}

/// As vendors show a key.
fn masked(key: &str) -> String {
    format!("{}*****{}", &key[..12], &key[key.len() - 4..])
}

#[tokio::test]
async fn a_provider_that_shows_what_it_got_shows_no_key_in_errors_and_headers() {
    let fake = provider(&["a0", "a1"]);
    let rig = Setup::new().member("a", &fake, &["a0", "a1"]).start().await;
    let other = key_value("a1");
    let echo = |answer: Answer| Answer {
        echo: true,
        ..answer.header("x-echo", "key ${key}").header("x-other", &other)
    };
    let text = |text: &str| Answer {
        status: Some(400),
        body: Some(keypool_fake_provider::Body::Text(text.to_owned())),
        ..Answer::default()
    };
    let answers = [
        echo(Answer::error(ErrorKind::BadRequest)),
        echo(Answer::error(ErrorKind::InvalidApiKey)),
        echo(Answer::error(ErrorKind::ServerError)),
        text("your key: ${key}"),
        text(&format!(
            "your keys: ${{key}} and {other} and {}",
            other.to_uppercase()
        )),
        text(
            r#"{"error":{"message":"Bearer ${key}","type":"invalid_request_error","code":null,"param":null}}"#,
        ),
        // A good answer passes as it is; but a header that shows a key is no part of it, be it the one that was sent or another one that the
        // provider knows.
        Answer::default().header("x-echo", "key ${key}"),
        Answer::default().header("x-other", &other),
        Answer::default().header("x-other", &other.to_uppercase()),
        Answer::default().header("x-other", &masked(&other)),
    ];
    let in_stream = echo(Answer {
        stream: Some(Stream {
            error_after: Some(0),
            ..Stream::default()
        }),
        ..Answer::default()
    });
    let cases = answers
        .iter()
        .flat_map(|answer| [(answer, false), (answer, true)]);
    for (answer, streamed) in cases.chain([(&in_stream, true)]) {
        fake.clear_rules();
        fake.add_rule(Rule::new(answer.clone()));
        let rig = Setup::new().member("a", &fake, &["a0", "a1"]).start().await;
        let body = chat("gpt", streamed);
        let reply = rig.exchange(post(&body)).await;
        assert!(!reply.text().contains("${key}"));
        if reply.status == 200 && !reply.text().contains("error") {
            let entry = asked(&fake).pop().unwrap();
            assert_eq!(sha256_hex(&reply.body), entry.response_sha256);
        }
        let shown = ["x-echo", "x-other"].map(|name| reply.header(name).unwrap_or_default().to_lowercase());
        for key in ["a0", "a1"].map(key_value) {
            assert!(
                shown.iter().all(|shown| !shown.contains(&key[key.len() - 4..])),
                "{shown:?}"
            );
        }
        if let Some(length) = reply.header("content-length") {
            assert_eq!(length.parse(), Ok(reply.body.len()));
        }
        // Nothing of either key, in any dress.
        rig.finish(&[&fake]).await;
    }
    rig.proxy.drain().await;
}

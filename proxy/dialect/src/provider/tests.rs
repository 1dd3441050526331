//! Errors as providers send them, and what each means.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};
use keypool_contract::ProviderType::{self, OpenAI, OpenAICompatible};
use proptest::prelude::{any, prop, prop_assert, proptest};

use crate::outcome::Class::{
    AuthDead, AuthUnclear, Client, Credit, Env, Invalid, Model, Overload, Rate, RateLong, Server, Success,
    TooBigForKey,
};
use crate::outcome::Form::{Events, Other, Page};
use crate::outcome::{BODY_LIMIT, Class, Outcome, Scope, answered, classify, form};
use crate::probe::{ProbeVerdict, interpret};

fn headers(html: bool, more: &[(&'static str, &'static str)]) -> HeaderMap {
    let kind = if html {
        "text/html; charset=utf-8"
    } else {
        "application/json"
    };
    let mut headers: HeaderMap = more
        .iter()
        .map(|(name, value)| {
            (
                http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect();
    headers.insert("content-type", HeaderValue::from_static(kind));
    headers
}

fn outcome_of(provider: ProviderType, status: u16, body: &str) -> Outcome {
    let status = StatusCode::from_u16(status).unwrap();
    classify(
        provider,
        status,
        &headers(false, &[]),
        body.as_bytes(),
        SystemTime::UNIX_EPOCH,
    )
}

/// An error in OpenAI's shape; `-` is null.
fn error(kind: &str, code: &str, message: &str) -> String {
    let text = |text: &str| {
        if text == "-" {
            serde_json::Value::Null
        } else {
            text.into()
        }
    };
    serde_json::json!({"error": {"message": message, "type": text(kind), "param": null, "code": text(code)}})
        .to_string()
}

const SURE: bool = true;
const UNSURE: bool = false;
const HTML: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head></html>";
const NO_HINT: Option<u64> = None;

type Row = (u16, String, Class, bool, &'static str, Option<u64>);

fn check(provider: ProviderType, rows: &[Row]) {
    for (status, body, class, machine_code, code, hint) in rows {
        let found = outcome_of(provider, *status, body);
        let hint = hint.map(Duration::from_millis);
        assert_eq!(
            (found.class, found.machine_code, found.code, found.hint),
            (*class, *machine_code, *code, hint),
            "{provider:?} {status} {body}"
        );
    }
}

mod compatible;
mod openai;
mod probe;

#[test]
fn html_is_known_by_its_type_too() {
    let status = StatusCode::UNAUTHORIZED;
    let found = classify(
        OpenAICompatible,
        status,
        &headers(true, &[]),
        b"Sign in first",
        SystemTime::UNIX_EPOCH,
    );
    assert_eq!(found.class, Env);
}

#[test]
fn scope_and_doubt_follow_the_class() {
    let cases: &[(u16, String, Scope, bool)] = &[
        (
            429,
            error("tokens", "rate_limit_exceeded", ""),
            Scope::QuotaGroupModel,
            false,
        ),
        (
            429,
            error("-", "insufficient_quota", ""),
            Scope::QuotaGroup,
            false,
        ),
        (
            429,
            error("-", "project_spend_limit_exceeded", ""),
            Scope::Credential,
            false,
        ),
        (
            429,
            error("tokens", "rate_limit_exceeded", "Request too large"),
            Scope::Nothing,
            false,
        ),
        (401, error("-", "invalid_api_key", ""), Scope::Credential, false),
        (403, String::new(), Scope::Credential, false),
        (
            404,
            error("-", "model_not_found", ""),
            Scope::CredentialModel,
            false,
        ),
        (
            403,
            error("-", "unsupported_country_region_territory", ""),
            Scope::Provider,
            false,
        ),
        (400, error("-", "-", ""), Scope::Nothing, false),
        (500, String::new(), Scope::ProviderModel, false),
        (503, String::new(), Scope::ProviderModel, false),
        (504, String::new(), Scope::ProviderModel, true),
        (524, String::new(), Scope::ProviderModel, true),
        (408, String::new(), Scope::ProviderModel, true),
        (522, String::new(), Scope::ProviderModel, false),
    ];
    for (status, body, scope, may_have_run) in cases {
        let found = outcome_of(OpenAI, *status, body);
        assert_eq!(
            (found.scope, found.may_have_run),
            (*scope, *may_have_run),
            "{status} {body}"
        );
    }
}

#[test]
fn a_header_says_when() {
    let headers = headers(false, &[("retry-after", "45")]);
    let hint = |status: StatusCode, body: &str| {
        classify(OpenAI, status, &headers, body.as_bytes(), SystemTime::UNIX_EPOCH).hint
    };
    let expected = Some(Duration::from_secs(45));
    assert_eq!(hint(StatusCode::TOO_MANY_REQUESTS, ""), expected);
    assert_eq!(hint(StatusCode::SERVICE_UNAVAILABLE, ""), expected);
    assert_eq!(
        hint(
            StatusCode::TOO_MANY_REQUESTS,
            &error("-", "insufficient_quota", "")
        ),
        expected
    );
    // Waiting does not help these.
    assert_eq!(hint(StatusCode::BAD_REQUEST, ""), None);
    assert_eq!(hint(StatusCode::UNAUTHORIZED, ""), None);
    assert_eq!(
        hint(
            StatusCode::TOO_MANY_REQUESTS,
            &error("-", "-", "Request too large")
        ),
        None
    );
}

#[test]
fn errors_inside_a_200() {
    let now = SystemTime::UNIX_EPOCH;
    let of = |body: &str| answered(OpenAICompatible, &headers(false, &[]), body.as_bytes(), now);
    let answer = r#"{"id":"1","object":"chat.completion","choices":[{"message":{"content":"an \"error\": {}"}}],"error":null}"#;
    let cases = [
        (answer, Success, "ok"),
        (
            r#"{"id":"1","choices":[{"logprobs":{"content":[{"token":"error"}]}}]}"#,
            Success,
            "ok",
        ),
        ("\n\n{\"id\":\"1\",\"choices\":[]}", Success, "ok"),
        (r#"{"error":{"code":429,"message":"slow"}}"#, Rate, "http_429"),
        (
            r#"{"error":{"code":"insufficient_quota","message":"x"}}"#,
            Credit,
            "insufficient_quota",
        ),
        (
            r#"{"error":{"code":"invalid_api_key","message":"x"}}"#,
            AuthDead,
            "invalid_api_key",
        ),
        (
            r#"{"error":{"code":"server_is_overloaded"}}"#,
            Overload,
            "server_is_overloaded",
        ),
        (
            r#"{"error":{"code":"context_length_exceeded"}}"#,
            Client,
            "context_length_exceeded",
        ),
        (
            r#"{"error":{"code":502,"message":"bad gateway"}}"#,
            Server,
            "http_502",
        ),
        (
            r#"{"error":{"code":200,"message":"nonsense"}}"#,
            Server,
            "http_500",
        ),
        (r#"{"error":"boom"}"#, Server, "http_500"),
        (
            r#"{"object":"error","message":"boom","code":400}"#,
            Client,
            "http_400",
        ),
        ("", Invalid, "empty_answer"),
        (" \n ", Invalid, "empty_answer"),
        ("<!doctype html>", Env, "html"),
    ];
    for (body, class, code) in cases {
        let found = of(body);
        assert_eq!((found.class, found.code), (class, code), "{body}");
    }
    let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(BODY_LIMIT));
    assert_eq!(of(&long).class, Success);
}

#[test]
fn a_body_is_known_by_its_beginning_and_a_page_by_its_type_too() {
    let (html, json) = (headers(true, &[]), headers(false, &[]));
    let none = HeaderMap::new();
    for (headers, beginning, want) in [
        (&html, "", None),
        (&none, " \r\n", None),
        (&json, "<!doctype html>", Some(Page)),
        (&none, "\u{feff}\r\n <html>", Some(Page)),
        (&html, "Please log in", Some(Page)),
        (&html, " {\"id\":1}", Some(Other)),
        (&none, "[1]", Some(Other)),
        (&none, "data: {}", Some(Events)),
        (&none, ": keep-alive", Some(Events)),
        (&html, "data: {}", Some(Events)),
        (&html, "\n: keep-alive", Some(Events)),
        (&html, "da", None),
        (&html, "dat", None),
        (&html, "dates", Some(Page)),
        (&none, "id", None),
        (&none, "identity", Some(Other)),
        (&json, "x", Some(Other)),
    ] {
        assert_eq!(form(headers, beginning.as_bytes()), want, "{beginning:?}");
    }
}

proptest! {
    #[test]
    fn never_panics_and_never_blames_a_key_for_a_server(
        status in 300_u16..1000,
        body in prop::collection::vec(any::<u8>(), 0..200),
        words in "[a-z_\"{}:, 0-9]{0,60}",
        openai in any::<bool>(),
    ) {
        let provider = if openai { OpenAI } else { OpenAICompatible };
        let nearly = format!(r#"{{"error":{{"code":{words},"message":"{words}"}}}}"#);
        for body in [body.as_slice(), nearly.as_bytes()] {
            let status = StatusCode::from_u16(status).unwrap();
            let found = classify(provider, status, &HeaderMap::new(), body, SystemTime::UNIX_EPOCH);
            let of_key = matches!(found.class, Rate | RateLong | Credit | AuthDead | AuthUnclear | Model);
            prop_assert!(!of_key || status.is_client_error(), "{status} {found:?}");
            prop_assert!(found.class != Success);
        }
    }
}

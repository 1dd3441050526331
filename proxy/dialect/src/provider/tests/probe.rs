//! What a validation call shows.

use super::*;

#[test]
#[rustfmt::skip] // One case a line.
fn a_validation_call_proves_only_what_it_can() {
    use ProbeVerdict::{CreditExhausted, Dead, NotVerifiable, RateLimited, ServerFault, Valid};
    let scopes = error("invalid_request_error", "-", "Missing scopes: api.model.read");
    let models = r#"{"object":"list","data":[]}"#.to_owned();
    let dead = |code| Dead { code };
    let cases: &[(u16, String, ProbeVerdict, ProbeVerdict)] = &[
        (200, models, Valid, Valid),
        (401, error("-", "invalid_api_key", ""), dead("invalid_api_key"), dead("invalid_api_key")),
        (401, error("-", "account_deactivated", ""), dead("account_deactivated"), dead("account_deactivated")),
        (401, error("authentication_error", "-", ""), NotVerifiable, dead("authentication_error")),
        (401, error("-", "-", "Unauthorized"), NotVerifiable, dead("http_401")),
        (401, error("-", "401", "Unauthorized"), NotVerifiable, dead("http_401")),
        (401, String::new(), NotVerifiable, dead("http_401")),
        (401, r#"{"error":"Unauthorized"}"#.into(), NotVerifiable, dead("http_401")),
        (401, error("-", "token_expired", ""), NotVerifiable, NotVerifiable),
        (401, scopes.clone(), NotVerifiable, NotVerifiable),
        (403, scopes, NotVerifiable, NotVerifiable),
        (403, String::new(), NotVerifiable, NotVerifiable),
        (401, error("-", "-", "Your IP address is not authorized"), ServerFault, ServerFault),
        (401, HTML.into(), ServerFault, ServerFault),
        (404, r#"{"detail":"Not Found"}"#.into(), ServerFault, NotVerifiable),
        (405, String::new(), ServerFault, NotVerifiable),
        (429, error("requests", "rate_limit_exceeded", "try again in 3s"), RateLimited { hint: Some(Duration::from_secs(3)), }, RateLimited { hint: Some(Duration::from_secs(3)), }),
        (429, error("-", "insufficient_quota", ""), CreditExhausted, CreditExhausted),
        (402, String::new(), CreditExhausted, CreditExhausted),
        (400, String::new(), NotVerifiable, NotVerifiable),
        (500, String::new(), ServerFault, ServerFault),
        (503, HTML.into(), ServerFault, ServerFault),
        (302, String::new(), ServerFault, ServerFault),
    ];
    for (status, body, openai, compatible) in cases {
        for (provider, expected) in [(OpenAI, openai), (OpenAICompatible, compatible)] {
            let status = StatusCode::from_u16(*status).unwrap();
            let verdict = interpret(
                provider,
                status,
                &headers(false, &[]),
                body.as_bytes(),
                SystemTime::UNIX_EPOCH,
            );
            assert_eq!(verdict, *expected, "{provider:?} {status} {body}");
        }
    }
}

//! Errors as providers send them, and what each means.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};
use keypool_contract::ProviderType::{self, OpenAI, OpenAICompatible};
use proptest::prelude::{any, prop, prop_assert, proptest};

use crate::outcome::Class::{
    AuthDead, AuthUnclear, Client, Credit, Env, Invalid, Model, Overload, Rate, RateLong, Server, Success,
    TooBigForKey,
};
use crate::outcome::{BODY_LIMIT, Class, Outcome, Retry, Scope, answered, classify};
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

#[test]
fn openai_errors() {
    let rate = "Rate limit reached for gpt-4.1 in organization org-1 on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 6.5s. Visit https://platform.openai.com/account/rate-limits to learn more.";
    let per_day = "Rate limit reached for gpt-4.1 in organization org-1 on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.";
    let too_large = "Request too large for gpt-4.1 in organization org-1 on tokens per min (TPM): Limit 30000, Requested 45000. The input or output tokens must be reduced in order to run successfully.";
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    let wrong_key = "Incorrect API key provided: sk-abcde***************wxyz. You can find your API key at https://platform.openai.com/account/api-keys.";
    let no_model = "The model `gpt-9` does not exist or you do not have access to it.";
    let scopes = "You have insufficient permissions for this operation. Missing scopes: model.request. Check that you have the correct role in your organization.";
    check(
        OpenAI,
        &[
            // 429
            (
                429,
                error("tokens", "rate_limit_exceeded", rate),
                Rate,
                SURE,
                "rate_limit_exceeded",
                Some(6_500),
            ),
            (
                429,
                error(
                    "requests",
                    "rate_limit_exceeded",
                    "Rate limit reached. Please try again in 20ms.",
                ),
                Rate,
                SURE,
                "rate_limit_exceeded",
                Some(20),
            ),
            (
                429,
                error("requests", "-", "Rate limit reached."),
                Rate,
                SURE,
                "requests",
                NO_HINT,
            ),
            (
                429,
                error("tokens", "-", "Rate limit reached."),
                Rate,
                SURE,
                "tokens",
                NO_HINT,
            ),
            (
                429,
                error("requests", "rate_limit_exceeded", per_day),
                RateLong,
                SURE,
                "rate_limit_exceeded",
                Some(432_000),
            ),
            (
                429,
                error("tokens", "rate_limit_exceeded", "Please try again in 3h0m0s."),
                RateLong,
                SURE,
                "rate_limit_exceeded",
                Some(10_800_000),
            ),
            (
                429,
                error("tokens", "rate_limit_exceeded", too_large),
                TooBigForKey,
                UNSURE,
                "request_too_large",
                NO_HINT,
            ),
            (
                429,
                error(
                    "tokens",
                    "rate_limit_exceeded",
                    "on tokens per min (TPM): Limit 10, Requested 11.",
                ),
                TooBigForKey,
                UNSURE,
                "request_too_large",
                NO_HINT,
            ),
            (
                429,
                error("-", "-", too_large),
                TooBigForKey,
                UNSURE,
                "request_too_large",
                NO_HINT,
            ),
            (
                429,
                error(
                    "rate_limit_error",
                    "slow_down",
                    "Please reduce your request rate.",
                ),
                Rate,
                SURE,
                "slow_down",
                NO_HINT,
            ),
            (
                429,
                error("rate_limit_error", "-", "slow"),
                Rate,
                SURE,
                "rate_limit_error",
                NO_HINT,
            ),
            (
                429,
                error("insufficient_quota", "insufficient_quota", quota),
                Credit,
                SURE,
                "insufficient_quota",
                NO_HINT,
            ),
            (
                429,
                error("insufficient_quota", "-", quota),
                Credit,
                SURE,
                "insufficient_quota",
                NO_HINT,
            ),
            (
                429,
                error("insufficient_quota", "credit_balance_exhausted", quota),
                Credit,
                SURE,
                "credit_balance_exhausted",
                NO_HINT,
            ),
            (
                429,
                error("insufficient_quota", "organization_spend_limit_exceeded", quota),
                Credit,
                SURE,
                "organization_spend_limit_exceeded",
                NO_HINT,
            ),
            (
                429,
                error("insufficient_quota", "organization_usage_limit_exceeded", quota),
                Credit,
                SURE,
                "organization_usage_limit_exceeded",
                NO_HINT,
            ),
            (
                429,
                error("insufficient_quota", "project_spend_limit_exceeded", quota),
                Credit,
                SURE,
                "project_spend_limit_exceeded",
                NO_HINT,
            ),
            (
                429,
                error("-", "billing_not_active", "Your account is not active."),
                Credit,
                SURE,
                "billing_not_active",
                NO_HINT,
            ),
            (
                400,
                error(
                    "invalid_request_error",
                    "billing_hard_limit_reached",
                    "Billing hard limit has been reached",
                ),
                Credit,
                SURE,
                "billing_hard_limit_reached",
                NO_HINT,
            ),
            (
                429,
                error("-", "-", "Too many requests"),
                Rate,
                UNSURE,
                "http_429",
                NO_HINT,
            ),
            (
                429,
                error("-", "429", "Too many requests"),
                Rate,
                UNSURE,
                "http_429",
                NO_HINT,
            ),
            (
                429,
                error("-", "brand_new_code", "Too many requests"),
                Rate,
                UNSURE,
                "http_429",
                NO_HINT,
            ),
            (429, String::new(), Rate, UNSURE, "http_429", NO_HINT),
            (
                429,
                r#"{"error":{"message":"cut off in the mid"#.into(),
                Rate,
                UNSURE,
                "http_429",
                NO_HINT,
            ),
            (429, HTML.into(), Overload, UNSURE, "edge_page", NO_HINT),
            (
                429,
                "error code: 1015".into(),
                Overload,
                UNSURE,
                "edge_page",
                NO_HINT,
            ),
            // 401
            (
                401,
                error("invalid_request_error", "invalid_api_key", wrong_key),
                AuthDead,
                SURE,
                "invalid_api_key",
                NO_HINT,
            ),
            (
                401,
                error(
                    "invalid_request_error",
                    "account_deactivated",
                    "The account was deactivated.",
                ),
                AuthDead,
                SURE,
                "account_deactivated",
                NO_HINT,
            ),
            (
                401,
                error(
                    "invalid_request_error",
                    "-",
                    "You must be a member of an organization to use the API.",
                ),
                AuthDead,
                UNSURE,
                "no_organization",
                NO_HINT,
            ),
            (
                401,
                error("invalid_request_error", "-", scopes),
                Model,
                UNSURE,
                "missing_scopes",
                NO_HINT,
            ),
            (
                403,
                error("invalid_request_error", "missing_scope", scopes),
                Model,
                UNSURE,
                "missing_scopes",
                NO_HINT,
            ),
            (
                401,
                error(
                    "invalid_request_error",
                    "-",
                    "Your IP address is not authorized for this project.",
                ),
                Env,
                UNSURE,
                "egress_refused",
                NO_HINT,
            ),
            (
                401,
                error("invalid_request_error", "ip_not_authorized", "no"),
                Env,
                SURE,
                "ip_not_authorized",
                NO_HINT,
            ),
            (
                401,
                error("invalid_request_error", "-", "Unauthorized"),
                AuthUnclear,
                UNSURE,
                "http_401",
                NO_HINT,
            ),
            (401, String::new(), AuthUnclear, UNSURE, "http_401", NO_HINT),
            (401, HTML.into(), Env, UNSURE, "edge_page", NO_HINT),
            (401, "Unauthorized".into(), Env, UNSURE, "edge_page", NO_HINT),
            // 403, 404
            (
                403,
                error(
                    "request_forbidden",
                    "unsupported_country_region_territory",
                    "Country, region, or territory not supported",
                ),
                Env,
                SURE,
                "unsupported_country_region_territory",
                NO_HINT,
            ),
            (
                403,
                error("-", "-", "Country, region, or territory not supported"),
                Env,
                UNSURE,
                "egress_refused",
                NO_HINT,
            ),
            (
                403,
                error(
                    "invalid_request_error",
                    "model_not_found",
                    "Project `proj_1` does not have access to model `gpt-4.1`",
                ),
                Model,
                SURE,
                "model_not_found",
                NO_HINT,
            ),
            (
                403,
                error(
                    "invalid_request_error",
                    "-",
                    "You do not have access to this model.",
                ),
                Model,
                UNSURE,
                "no_model_access",
                NO_HINT,
            ),
            (
                403,
                error("-", "-", "Forbidden"),
                AuthUnclear,
                UNSURE,
                "http_403",
                NO_HINT,
            ),
            (403, HTML.into(), Env, UNSURE, "edge_page", NO_HINT),
            (
                404,
                error("invalid_request_error", "model_not_found", no_model),
                Model,
                SURE,
                "model_not_found",
                NO_HINT,
            ),
            (
                404,
                error("invalid_request_error", "-", no_model),
                Model,
                UNSURE,
                "http_404",
                NO_HINT,
            ),
            (
                404,
                error(
                    "invalid_request_error",
                    "-",
                    "Invalid URL (POST /v1/v1/chat/completions)",
                ),
                Env,
                UNSURE,
                "no_such_path",
                NO_HINT,
            ),
            (
                404,
                error("invalid_request_error", "-", "No such File object: file-1"),
                Client,
                UNSURE,
                "http_404",
                NO_HINT,
            ),
            (404, HTML.into(), Env, UNSURE, "no_such_path", NO_HINT),
            // the client's
            (
                400,
                error(
                    "invalid_request_error",
                    "context_length_exceeded",
                    "maximum context length is 128000 tokens",
                ),
                Client,
                SURE,
                "context_length_exceeded",
                NO_HINT,
            ),
            (
                400,
                error(
                    "invalid_request_error",
                    "invalid_encrypted_content",
                    "could not be verified",
                ),
                Client,
                SURE,
                "invalid_encrypted_content",
                NO_HINT,
            ),
            (
                400,
                error("invalid_request_error", "content_policy_violation", "rejected"),
                Client,
                SURE,
                "content_policy_violation",
                NO_HINT,
            ),
            (
                400,
                error(
                    "invalid_request_error",
                    "-",
                    "Unrecognized request argument supplied: foo",
                ),
                Client,
                UNSURE,
                "http_400",
                NO_HINT,
            ),
            (
                400,
                error(
                    "invalid_request_error",
                    "-",
                    "the word insufficient_quota in a message",
                ),
                Client,
                UNSURE,
                "http_400",
                NO_HINT,
            ),
            (400, String::new(), Client, UNSURE, "http_400", NO_HINT),
            (
                409,
                error("-", "-", "conflict"),
                Client,
                UNSURE,
                "http_409",
                NO_HINT,
            ),
            (
                413,
                error("invalid_request_error", "-", "Payload too large"),
                Client,
                UNSURE,
                "http_413",
                NO_HINT,
            ),
            (
                422,
                error("invalid_request_error", "-", "unprocessable"),
                Client,
                UNSURE,
                "http_422",
                NO_HINT,
            ),
            (
                418,
                error("-", "-", "teapot"),
                Client,
                UNSURE,
                "http_4xx",
                NO_HINT,
            ),
            (499, String::new(), Client, UNSURE, "http_499", NO_HINT),
            // the provider's
            (
                402,
                error("-", "-", "Payment required"),
                Credit,
                SURE,
                "http_402",
                NO_HINT,
            ),
            (
                408,
                error("server_error", "-", "timeout"),
                Server,
                UNSURE,
                "http_408",
                NO_HINT,
            ),
            (
                500,
                error("server_error", "-", "The server had an error"),
                Server,
                UNSURE,
                "http_500",
                NO_HINT,
            ),
            (
                500,
                error("server_error", "insufficient_quota", "quoted"),
                Server,
                UNSURE,
                "http_500",
                NO_HINT,
            ),
            (502, HTML.into(), Server, UNSURE, "http_502", NO_HINT),
            (
                503,
                error("service_unavailable_error", "server_is_overloaded", "busy"),
                Overload,
                SURE,
                "server_is_overloaded",
                NO_HINT,
            ),
            (503, HTML.into(), Overload, UNSURE, "http_503", NO_HINT),
            (
                503,
                "upstream connect error".into(),
                Overload,
                UNSURE,
                "http_503",
                NO_HINT,
            ),
            (504, HTML.into(), Server, UNSURE, "http_504", NO_HINT),
            (520, HTML.into(), Server, UNSURE, "http_52x", NO_HINT),
            (524, HTML.into(), Server, UNSURE, "http_52x", NO_HINT),
            (529, String::new(), Overload, UNSURE, "http_529", NO_HINT),
            (501, String::new(), Server, UNSURE, "http_5xx", NO_HINT),
            (302, String::new(), Env, UNSURE, "redirect", NO_HINT),
            (308, HTML.into(), Env, UNSURE, "redirect", NO_HINT),
            (407, HTML.into(), Env, UNSURE, "http_407", NO_HINT),
            (600, String::new(), Invalid, UNSURE, "http_other", NO_HINT),
            (200, String::new(), Success, UNSURE, "ok", NO_HINT),
        ],
    );
}

#[test]
fn compatible_errors() {
    let flat = |kind: &str, code: &str, message: &str| {
        format!(r#"{{"object":"error","message":"{message}","type":"{kind}","param":null,"code":{code}}}"#)
    };
    let vllm = |kind: &str, param: &str, code: u16, message: &str| {
        format!(r#"{{"error":{{"message":"{message}","type":"{kind}","param":{param},"code":{code}}}}}"#)
    };
    check(OpenAICompatible, &[
        // vLLM, new and old
        (400, vllm("BadRequestError", "null", 400, "This model's maximum context length is 8192 tokens."), Client, UNSURE, "http_400", NO_HINT),
        (400, flat("BadRequestError", "400", "maximum context length"), Client, UNSURE, "http_400", NO_HINT),
        (404, vllm("NotFoundError", r#""model""#, 404, "The model `llama` does not exist."), Model, UNSURE, "http_404", NO_HINT),
        (404, flat("NotFoundError", "404", "The model `llama` does not exist."), Model, UNSURE, "http_404", NO_HINT),
        (404, vllm("NotFoundError", "null", 404, "Not Found"), Env, UNSURE, "no_such_path", NO_HINT),
        (401, r#"{"error":"Unauthorized"}"#.into(), AuthUnclear, UNSURE, "http_401", NO_HINT),
        (500, vllm("InternalServerError", "null", 500, "EngineCore encountered an issue"), Server, UNSURE, "http_500", NO_HINT),
        (503, String::new(), Overload, UNSURE, "http_503", NO_HINT),
        // web frameworks
        (404, r#"{"detail":"Not Found"}"#.into(), Env, UNSURE, "no_such_path", NO_HINT),
        (405, r#"{"detail":"Method Not Allowed"}"#.into(), Env, UNSURE, "no_such_path", NO_HINT),
        (401, r#"{"detail":"Invalid token"}"#.into(), AuthUnclear, UNSURE, "http_401", NO_HINT),
        (422, r#"{"detail":[{"loc":["body","messages"],"msg":"field required"}]}"#.into(), Client, UNSURE, "http_422", NO_HINT),
        // Ollama
        (404, r#"{"error":"model 'llama' not found"}"#.into(), Model, UNSURE, "http_404", NO_HINT),
        // DeepSeek
        (402, error("unknown_error", "invalid_request_error", "Insufficient Balance"), Credit, SURE, "http_402", NO_HINT),
        (401, error("authentication_error", "invalid_request_error", "Authentication Fails (no such user)"), AuthDead, SURE, "authentication_error", NO_HINT),
        // Groq
        (413, error("tokens", "rate_limit_exceeded", "Request too large for model `llama` on tokens per minute (TPM): Limit 6000, Requested 7000"), TooBigForKey, UNSURE, "request_too_large", NO_HINT),
        (429, error("tokens", "rate_limit_exceeded", "on tokens per day (TPD): Limit 100000, Used 99999, Requested 200. Please try again in 2m51.936s."), RateLong, SURE, "rate_limit_exceeded", Some(171_936)),
        (498, error("server_error", "capacity_exceeded", "flex tier"), Overload, SURE, "capacity_exceeded", NO_HINT),
        (498, String::new(), Overload, UNSURE, "http_498", NO_HINT),
        // Cohere's compatible endpoint
        (498, r#"{"message":"blocked output: denied token","id":"1"}"#.into(), Client, UNSURE, "http_498", NO_HINT),
        // Mistral
        (401, r#"{"message":"Unauthorized","request_id":"1"}"#.into(), AuthUnclear, UNSURE, "http_401", NO_HINT),
        (429, r#"{"object":"error","message":"Requests rate limit exceeded","type":"rate_limited","param":null,"code":"1300"}"#.into(), Rate, UNSURE, "http_429", NO_HINT),
        // OpenRouter
        (403, r#"{"error":{"code":403,"message":"Your input was flagged","metadata":{"reasons":["x"]}}}"#.into(), Client, UNSURE, "http_403", NO_HINT),
        (402, r#"{"error":{"code":402,"message":"This request requires more credits"}}"#.into(), Credit, SURE, "http_402", NO_HINT),
        // Google's compatible endpoint
        (400, r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}]"#.into(), AuthDead, SURE, "api_key_invalid", NO_HINT),
        (429, r#"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"46s"}]}}]"#.into(), Rate, UNSURE, "http_429", Some(46_000)),
        // Azure
        (429, error("-", "429", "Please retry after 86400 seconds."), RateLong, UNSURE, "http_429", Some(86_400_000)),
        (404, error("-", "DeploymentNotFound", "The API deployment for this resource does not exist."), Model, SURE, "deploymentnotfound", NO_HINT),
        (400, error("-", "content_filter", "The response was filtered"), Client, SURE, "content_filter", NO_HINT),
        // self-made
        (401, "Unauthorized".into(), AuthUnclear, UNSURE, "http_401", NO_HINT),
        (401, error("auth", "token_expired", "expired"), AuthUnclear, UNSURE, "unknown_code", NO_HINT),
        (401, error("auth", "invalid_api_key", "no"), AuthDead, SURE, "invalid_api_key", NO_HINT),
        (403, String::new(), AuthUnclear, UNSURE, "http_403", NO_HINT),
        (429, "slow down".into(), Rate, UNSURE, "http_429", NO_HINT),
        (429, "[]".into(), Rate, UNSURE, "http_429", NO_HINT),
        (429, "null".into(), Rate, UNSURE, "http_429", NO_HINT),
        (429, r#"{"error":true}"#.into(), Rate, UNSURE, "http_429", NO_HINT),
        // edges
        (401, HTML.into(), Env, UNSURE, "edge_page", NO_HINT),
        (403, HTML.into(), Env, UNSURE, "edge_page", NO_HINT),
        (402, HTML.into(), Env, UNSURE, "http_402", NO_HINT),
        (429, HTML.into(), Overload, UNSURE, "edge_page", NO_HINT),
        (500, HTML.into(), Server, UNSURE, "http_500", NO_HINT),
    ]);
}

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
fn scope_and_retry_follow_the_class() {
    let cases: &[(u16, String, Scope, Retry)] = &[
        (
            429,
            error("tokens", "rate_limit_exceeded", ""),
            Scope::QuotaGroupModel,
            Retry::OtherKey,
        ),
        (
            429,
            error("-", "insufficient_quota", ""),
            Scope::QuotaGroup,
            Retry::OtherKey,
        ),
        (
            429,
            error("-", "project_spend_limit_exceeded", ""),
            Scope::Credential,
            Retry::OtherKey,
        ),
        (
            429,
            error("tokens", "rate_limit_exceeded", "Request too large"),
            Scope::Nothing,
            Retry::LargerKey,
        ),
        (
            401,
            error("-", "invalid_api_key", ""),
            Scope::Credential,
            Retry::OtherKey,
        ),
        (403, String::new(), Scope::Credential, Retry::OtherKey),
        (
            404,
            error("-", "model_not_found", ""),
            Scope::CredentialModel,
            Retry::OtherKey,
        ),
        (
            403,
            error("-", "unsupported_country_region_territory", ""),
            Scope::Provider,
            Retry::OtherProvider,
        ),
        (400, error("-", "-", ""), Scope::Nothing, Retry::Never),
        (500, String::new(), Scope::ProviderModel, Retry::OtherProvider),
        (503, String::new(), Scope::ProviderModel, Retry::OtherProvider),
        (
            504,
            String::new(),
            Scope::ProviderModel,
            Retry::IfAmbiguousAllowed,
        ),
        (
            524,
            String::new(),
            Scope::ProviderModel,
            Retry::IfAmbiguousAllowed,
        ),
        (
            408,
            String::new(),
            Scope::ProviderModel,
            Retry::IfAmbiguousAllowed,
        ),
        (522, String::new(), Scope::ProviderModel, Retry::OtherProvider),
    ];
    for (status, body, scope, retry) in cases {
        let found = outcome_of(OpenAI, *status, body);
        assert_eq!((found.scope, found.retry()), (*scope, *retry), "{status} {body}");
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
fn a_validation_call_proves_only_what_it_can() {
    use ProbeVerdict::{CreditExhausted, Dead, NotVerifiable, RateLimited, ServerFault, Valid};
    let scopes = error("invalid_request_error", "-", "Missing scopes: api.model.read");
    let models = r#"{"object":"list","data":[]}"#.to_owned();
    let dead = |code| Dead { code };
    let cases: &[(u16, String, ProbeVerdict, ProbeVerdict)] = &[
        (200, models, Valid, Valid),
        (
            401,
            error("-", "invalid_api_key", ""),
            dead("invalid_api_key"),
            dead("invalid_api_key"),
        ),
        (
            401,
            error("-", "account_deactivated", ""),
            dead("account_deactivated"),
            dead("account_deactivated"),
        ),
        (
            401,
            error("authentication_error", "-", ""),
            NotVerifiable,
            dead("authentication_error"),
        ),
        (
            401,
            error("-", "-", "Unauthorized"),
            NotVerifiable,
            dead("http_401"),
        ),
        (
            401,
            error("-", "401", "Unauthorized"),
            NotVerifiable,
            dead("http_401"),
        ),
        (401, String::new(), NotVerifiable, dead("http_401")),
        (
            401,
            r#"{"error":"Unauthorized"}"#.into(),
            NotVerifiable,
            dead("http_401"),
        ),
        (401, error("-", "token_expired", ""), NotVerifiable, NotVerifiable),
        (401, scopes.clone(), NotVerifiable, NotVerifiable),
        (403, scopes, NotVerifiable, NotVerifiable),
        (403, String::new(), NotVerifiable, NotVerifiable),
        (
            401,
            error("-", "-", "Your IP address is not authorized"),
            ServerFault,
            ServerFault,
        ),
        (401, HTML.into(), ServerFault, ServerFault),
        (
            404,
            r#"{"detail":"Not Found"}"#.into(),
            ServerFault,
            NotVerifiable,
        ),
        (405, String::new(), ServerFault, NotVerifiable),
        (
            429,
            error("requests", "rate_limit_exceeded", "try again in 3s"),
            RateLimited {
                hint: Some(Duration::from_secs(3)),
            },
            RateLimited {
                hint: Some(Duration::from_secs(3)),
            },
        ),
        (
            429,
            error("-", "insufficient_quota", ""),
            CreditExhausted,
            CreditExhausted,
        ),
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

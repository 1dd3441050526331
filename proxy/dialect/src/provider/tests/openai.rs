//! OpenAI's own errors.

use super::*;

#[test]
#[rustfmt::skip] // One case a line.
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
            (429, error("tokens", "rate_limit_exceeded", rate), Rate, SURE, "rate_limit_exceeded", Some(6_500)),
            (429, error("requests", "rate_limit_exceeded", "Rate limit reached. Please try again in 20ms."), Rate, SURE, "rate_limit_exceeded", Some(20)),
            (429, error("requests", "-", "Rate limit reached."), Rate, SURE, "requests", NO_HINT),
            (429, error("tokens", "-", "Rate limit reached."), Rate, SURE, "tokens", NO_HINT),
            (429, error("requests", "rate_limit_exceeded", per_day), RateLong, SURE, "rate_limit_exceeded", Some(432_000)),
            (429, error("tokens", "rate_limit_exceeded", "Please try again in 3h0m0s."), RateLong, SURE, "rate_limit_exceeded", Some(10_800_000)),
            (429, error("tokens", "rate_limit_exceeded", too_large), TooBigForKey, UNSURE, "request_too_large", NO_HINT),
            (429, error("tokens", "rate_limit_exceeded", "on tokens per min (TPM): Limit 10, Requested 11."), TooBigForKey, UNSURE, "request_too_large", NO_HINT),
            (429, error("-", "-", too_large), TooBigForKey, UNSURE, "request_too_large", NO_HINT),
            (429, error("rate_limit_error", "slow_down", "Please reduce your request rate."), Rate, SURE, "slow_down", NO_HINT),
            (429, error("rate_limit_error", "-", "slow"), Rate, SURE, "rate_limit_error", NO_HINT),
            (429, error("insufficient_quota", "insufficient_quota", quota), Credit, SURE, "insufficient_quota", NO_HINT),
            (429, error("insufficient_quota", "-", quota), Credit, SURE, "insufficient_quota", NO_HINT),
            (429, error("insufficient_quota", "credit_balance_exhausted", quota), Credit, SURE, "credit_balance_exhausted", NO_HINT),
            (429, error("insufficient_quota", "organization_spend_limit_exceeded", quota), Credit, SURE, "organization_spend_limit_exceeded", NO_HINT),
            (429, error("insufficient_quota", "organization_usage_limit_exceeded", quota), Credit, SURE, "organization_usage_limit_exceeded", NO_HINT),
            (429, error("insufficient_quota", "project_spend_limit_exceeded", quota), Credit, SURE, "project_spend_limit_exceeded", NO_HINT),
            (429, error("-", "billing_not_active", "Your account is not active."), Credit, SURE, "billing_not_active", NO_HINT),
            (400, error("invalid_request_error", "billing_hard_limit_reached", "Billing hard limit has been reached"), Credit, SURE, "billing_hard_limit_reached", NO_HINT),
            (429, error("-", "-", "Too many requests"), Rate, UNSURE, "http_429", NO_HINT),
            (429, error("-", "429", "Too many requests"), Rate, UNSURE, "http_429", NO_HINT),
            (429, error("-", "brand_new_code", "Too many requests"), Rate, UNSURE, "http_429", NO_HINT),
            (429, String::new(), Rate, UNSURE, "http_429", NO_HINT),
            (429, r#"{"error":{"message":"cut off in the mid"#.into(), Rate, UNSURE, "http_429", NO_HINT),
            (429, HTML.into(), Overload, UNSURE, "edge_page", NO_HINT),
            (429, "error code: 1015".into(), Overload, UNSURE, "edge_page", NO_HINT),
            // 401
            (401, error("invalid_request_error", "invalid_api_key", wrong_key), AuthDead, SURE, "invalid_api_key", NO_HINT),
            (401, error("invalid_request_error", "account_deactivated", "The account was deactivated."), AuthDead, SURE, "account_deactivated", NO_HINT),
            (401, error("invalid_request_error", "-", "You must be a member of an organization to use the API."), AuthDead, UNSURE, "no_organization", NO_HINT),
            (401, error("invalid_request_error", "-", scopes), Model, UNSURE, "missing_scopes", NO_HINT),
            (403, error("invalid_request_error", "missing_scope", scopes), Model, UNSURE, "missing_scopes", NO_HINT),
            (401, error("invalid_request_error", "-", "Your IP address is not authorized for this project."), Env, UNSURE, "egress_refused", NO_HINT),
            (401, error("invalid_request_error", "ip_not_authorized", "no"), Env, SURE, "ip_not_authorized", NO_HINT),
            (401, error("invalid_request_error", "-", "Unauthorized"), AuthUnclear, UNSURE, "http_401", NO_HINT),
            (401, String::new(), AuthUnclear, UNSURE, "http_401", NO_HINT),
            (401, HTML.into(), Env, UNSURE, "edge_page", NO_HINT),
            (401, "Unauthorized".into(), Env, UNSURE, "edge_page", NO_HINT),
            // 403, 404
            (403, error("request_forbidden", "unsupported_country_region_territory", "Country, region, or territory not supported"), Env, SURE, "unsupported_country_region_territory", NO_HINT),
            (403, error("-", "-", "Country, region, or territory not supported"), Env, UNSURE, "egress_refused", NO_HINT),
            (403, error("invalid_request_error", "model_not_found", "Project `proj_1` does not have access to model `gpt-4.1`"), Model, SURE, "model_not_found", NO_HINT),
            (403, error("invalid_request_error", "-", "You do not have access to this model."), Model, UNSURE, "no_model_access", NO_HINT),
            (403, error("-", "-", "Forbidden"), AuthUnclear, UNSURE, "http_403", NO_HINT),
            (403, HTML.into(), Env, UNSURE, "edge_page", NO_HINT),
            (404, error("invalid_request_error", "model_not_found", no_model), Model, SURE, "model_not_found", NO_HINT),
            (404, error("invalid_request_error", "-", no_model), Model, UNSURE, "http_404", NO_HINT),
            (404, error("invalid_request_error", "-", "Invalid URL (POST /v1/v1/chat/completions)"), Env, UNSURE, "no_such_path", NO_HINT),
            (404, error("invalid_request_error", "-", "No such File object: file-1"), Client, UNSURE, "http_404", NO_HINT),
            (404, HTML.into(), Env, UNSURE, "no_such_path", NO_HINT),
            // the client's
            (400, error("invalid_request_error", "context_length_exceeded", "maximum context length is 128000 tokens"), Client, SURE, "context_length_exceeded", NO_HINT),
            (400, error("invalid_request_error", "invalid_encrypted_content", "could not be verified"), Client, SURE, "invalid_encrypted_content", NO_HINT),
            (400, error("invalid_request_error", "content_policy_violation", "rejected"), Client, SURE, "content_policy_violation", NO_HINT),
            (400, error("invalid_request_error", "-", "Unrecognized request argument supplied: foo"), Client, UNSURE, "http_400", NO_HINT),
            (400, error("invalid_request_error", "-", "the word insufficient_quota in a message"), Client, UNSURE, "http_400", NO_HINT),
            (400, String::new(), Client, UNSURE, "http_400", NO_HINT),
            (409, error("-", "-", "conflict"), Client, UNSURE, "http_409", NO_HINT),
            (413, error("invalid_request_error", "-", "Payload too large"), Client, UNSURE, "http_413", NO_HINT),
            (422, error("invalid_request_error", "-", "unprocessable"), Client, UNSURE, "http_422", NO_HINT),
            (418, error("-", "-", "teapot"), Client, UNSURE, "http_4xx", NO_HINT),
            (499, String::new(), Client, UNSURE, "http_499", NO_HINT),
            // the provider's
            (402, error("-", "-", "Payment required"), Credit, SURE, "http_402", NO_HINT),
            (408, error("server_error", "-", "timeout"), Server, UNSURE, "http_408", NO_HINT),
            (500, error("server_error", "-", "The server had an error"), Server, UNSURE, "http_500", NO_HINT),
            (500, error("server_error", "insufficient_quota", "quoted"), Server, UNSURE, "http_500", NO_HINT),
            (502, HTML.into(), Server, UNSURE, "http_502", NO_HINT),
            (503, error("service_unavailable_error", "server_is_overloaded", "busy"), Overload, SURE, "server_is_overloaded", NO_HINT),
            (503, HTML.into(), Overload, UNSURE, "http_503", NO_HINT),
            (503, "upstream connect error".into(), Overload, UNSURE, "http_503", NO_HINT),
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
fn an_empty_account_is_the_organisations_or_one_projects() {
    let cases = [
        ("insufficient_quota", Scope::QuotaGroup),
        ("credit_balance_exhausted", Scope::QuotaGroup),
        ("organization_spend_limit_exceeded", Scope::QuotaGroup),
        ("organization_usage_limit_exceeded", Scope::QuotaGroup),
        ("billing_not_active", Scope::QuotaGroup),
        ("billing_hard_limit_reached", Scope::QuotaGroup),
        ("project_spend_limit_exceeded", Scope::Credential),
    ];
    for (code, scope) in cases {
        let found = outcome_of(OpenAI, 429, &error("insufficient_quota", code, ""));
        assert_eq!((found.class, found.scope), (Credit, scope), "{code}");
    }
}

//! Errors of servers that speak its protocol.

use super::*;

#[test]
#[rustfmt::skip] // One case a line.
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
        (401, r#"{"error":"Unauthorized"}"#.into(), AuthDead, UNSURE, "http_401", NO_HINT),
        (500, vllm("InternalServerError", "null", 500, "EngineCore encountered an issue"), Server, UNSURE, "http_500", NO_HINT),
        (503, String::new(), Overload, UNSURE, "http_503", NO_HINT),
        // web frameworks
        (404, r#"{"detail":"Not Found"}"#.into(), Env, UNSURE, "no_such_path", NO_HINT),
        (405, r#"{"detail":"Method Not Allowed"}"#.into(), Env, UNSURE, "no_such_path", NO_HINT),
        (401, r#"{"detail":"Invalid token"}"#.into(), AuthDead, UNSURE, "http_401", NO_HINT),
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
        (401, r#"{"message":"Unauthorized","request_id":"1"}"#.into(), AuthDead, UNSURE, "http_401", NO_HINT),
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
        (401, "Unauthorized".into(), AuthDead, UNSURE, "http_401", NO_HINT),
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

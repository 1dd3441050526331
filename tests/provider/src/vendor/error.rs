//! OpenAI's errors as a table: status, type, code and message.
//!
//! The type alone tells little (a deactivated account is an `invalid_request_error`), the code sometimes misses, and the
//! status never decides: this is what a classifier has to live with, so it is kept as published and not tidied up.

use serde::{Deserialize, Serialize};

use super::masked;

/// An error the vendor is known for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// 429, requests per minute.
    RateLimitExceeded,
    /// 429, tokens per minute.
    TokenLimitExceeded,
    /// 429, this request alone is larger than the limit.
    RequestTooLarge,
    /// 429, traffic grew too fast.
    SlowDown,
    /// 429, no money.
    InsufficientQuota,
    /// 429, no money.
    CreditBalanceExhausted,
    /// 429, spend cap of the organisation.
    OrganizationSpendLimitExceeded,
    /// 429, spend cap of the project.
    ProjectSpendLimitExceeded,
    /// 429, usage cap of the organisation.
    OrganizationUsageLimitExceeded,
    /// 429, no billing.
    BillingNotActive,
    /// 400, hard limit reached.
    BillingHardLimitReached,
    /// 401, with both ends of the key in the message.
    InvalidApiKey,
    /// 401, no key sent.
    NoApiKey,
    /// 401, account off.
    AccountDeactivated,
    /// 401, not a member.
    NotInOrganization,
    /// 401, restricted key.
    MissingScopes,
    /// 403, restricted key.
    MissingScopesForbidden,
    /// 401, egress address not on the allow list.
    IpNotAuthorized,
    /// 403, egress country.
    UnsupportedCountryRegionTerritory,
    /// 404, no such model or no access to it.
    ModelNotFound,
    /// 403, no access to the model.
    ModelForbidden,
    /// 400, prompt too long.
    ContextLengthExceeded,
    /// 400, refused content.
    ContentPolicyViolation,
    /// 400, made by another organisation.
    InvalidEncryptedContent,
    /// 400, a plain mistake.
    BadRequest,
    /// 503, overloaded.
    ServerIsOverloaded,
    /// 500.
    ServerError,
    /// 502 as an HTML page of the edge.
    BadGateway,
    /// 504 as an HTML page of the edge.
    GatewayTimeout,
}

/// An error ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// HTTP status.
    pub(crate) status: u16,
    /// Media type.
    pub(crate) content_type: &'static str,
    /// Body.
    pub(crate) body: String,
}

impl ErrorKind {
    /// Status, type, code and message. In the message `{key}` and `{model}` are filled in.
    #[rustfmt::skip] // one line per error reads as the table it is
    fn facts(self) -> (u16, &'static str, Option<&'static str>, &'static str) {
        const QUOTA: &str = "You exceeded your current quota, please check your plan and billing details.";
        const REQUEST: &str = "invalid_request_error";
        const SCOPES: &str = "You have insufficient permissions for this operation. Missing scopes: api.model.read.";
        match self {
            Self::RateLimitExceeded => (429, "requests", Some("rate_limit_exceeded"), "Rate limit reached for {model} on requests per min (RPM)."),
            Self::TokenLimitExceeded => (429, "tokens", Some("rate_limit_exceeded"), "Rate limit reached for {model} on tokens per min (TPM)."),
            Self::RequestTooLarge => (429, "tokens", Some("rate_limit_exceeded"), "Request too large for {model} on tokens per min (TPM): Limit 30000, Requested 65000."),
            Self::SlowDown => (429, "rate_limit_error", Some("slow_down"), "Slow down: your traffic grew too fast."),
            Self::InsufficientQuota => (429, "insufficient_quota", Some("insufficient_quota"), QUOTA),
            Self::CreditBalanceExhausted => (429, "insufficient_quota", Some("credit_balance_exhausted"), QUOTA),
            Self::OrganizationSpendLimitExceeded => (429, "insufficient_quota", Some("organization_spend_limit_exceeded"), QUOTA),
            Self::ProjectSpendLimitExceeded => (429, "insufficient_quota", Some("project_spend_limit_exceeded"), QUOTA),
            Self::OrganizationUsageLimitExceeded => (429, "insufficient_quota", Some("organization_usage_limit_exceeded"), QUOTA),
            Self::BillingNotActive => (429, "billing_not_active", Some("billing_not_active"), "Your account is not active, please check your billing details."),
            Self::BillingHardLimitReached => (400, REQUEST, Some("billing_hard_limit_reached"), "Billing hard limit has been reached."),
            Self::InvalidApiKey => (401, REQUEST, Some("invalid_api_key"), "Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys."),
            Self::NoApiKey => (401, REQUEST, None, "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth."),
            Self::AccountDeactivated => (401, REQUEST, Some("account_deactivated"), "The OpenAI account associated with this API key has been deactivated."),
            Self::NotInOrganization => (401, REQUEST, None, "You must be a member of an organization to use the API."),
            Self::MissingScopes => (401, REQUEST, None, SCOPES),
            Self::MissingScopesForbidden => (403, REQUEST, None, SCOPES),
            Self::IpNotAuthorized => (401, REQUEST, None, "IP not authorized: your request IP is not on the allow list of this project."),
            Self::UnsupportedCountryRegionTerritory => (403, "request_forbidden", Some("unsupported_country_region_territory"), "Country, region, or territory not supported"),
            Self::ModelNotFound => (404, REQUEST, Some("model_not_found"), "The model `{model}` does not exist or you do not have access to it."),
            Self::ModelForbidden => (403, REQUEST, Some("model_not_found"), "Project does not have access to model `{model}`."),
            Self::ContextLengthExceeded => (400, REQUEST, Some("context_length_exceeded"), "This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens."),
            Self::ContentPolicyViolation => (400, REQUEST, Some("content_policy_violation"), "Your request was rejected as a result of our safety system."),
            Self::InvalidEncryptedContent => (400, REQUEST, Some("invalid_encrypted_content"), "The encrypted content could not be verified."),
            Self::BadRequest => (400, REQUEST, None, "The request is not valid."),
            Self::ServerIsOverloaded => (503, "service_unavailable_error", Some("server_is_overloaded"), "Our servers are currently overloaded. Please try again later."),
            Self::ServerError => (500, "server_error", None, "The server had an error while processing your request. Sorry about that!"),
            Self::BadGateway => (502, "", None, "502 Bad Gateway"),
            Self::GatewayTimeout => (504, "", None, "504 Gateway Time-out"),
        }
    }

    /// The status it comes with.
    pub fn status(self) -> u16 {
        self.facts().0
    }

    /// The answer, with the ends of the key and the model filled in.
    pub(crate) fn render(self, key: Option<&str>, model: Option<&str>) -> Rendered {
        let (status, kind, code, message) = self.facts();
        if kind.is_empty() {
            return html(status, message);
        }
        let message = message
            .replace("{key}", &masked(key.unwrap_or_default()))
            .replace("{model}", model.unwrap_or("this model"));
        shaped(status, kind, code, &message)
    }
}

/// An error in the vendor's shape with a message of one's own.
pub(crate) fn shaped(status: u16, kind: &str, code: Option<&str>, message: &str) -> Rendered {
    let error = Inner {
        message,
        kind,
        param: None,
        code,
    };
    let body = serde_json::to_string(&Outer { error }).unwrap_or_default();
    Rendered {
        status,
        content_type: "application/json",
        body,
    }
}

/// The vendor's shape, its members in the vendor's order.
#[derive(Serialize)]
struct Outer<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

/// The page of an edge in front of the API.
pub(crate) fn html(status: u16, title: &str) -> Rendered {
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    );
    Rendered {
        status,
        content_type: "text/html",
        body,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_revoked_key_is_echoed_by_its_ends() {
        let answer = ErrorKind::InvalidApiKey.render(Some("sk-proj-abcdefghWXYZ"), None);
        assert_eq!(answer.status, 401);
        assert!(answer.body.contains("sk-proj-********WXYZ"), "{}", answer.body);
        assert!(answer.body.contains(r#""code":"invalid_api_key""#));
    }

    #[test]
    fn every_billing_stop_has_its_own_code_under_429() {
        for (kind, code) in [
            (ErrorKind::InsufficientQuota, "insufficient_quota"),
            (ErrorKind::CreditBalanceExhausted, "credit_balance_exhausted"),
            (
                ErrorKind::ProjectSpendLimitExceeded,
                "project_spend_limit_exceeded",
            ),
        ] {
            let answer = kind.render(None, None);
            let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!((answer.status, &body["error"]["code"]), (429, &json!(code)));
            assert_eq!(body["error"]["type"], "insufficient_quota");
        }
    }

    #[test]
    fn an_edge_answers_in_html() {
        let answer = ErrorKind::BadGateway.render(None, None);
        assert_eq!((answer.status, answer.content_type), (502, "text/html"));
    }
}

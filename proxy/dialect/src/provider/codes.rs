//! The codes that are known, and what each means. What is not in this table never reaches a log.

use http::StatusCode;

use super::error_body::Fields;
use crate::outcome::{Class, Outcome, Scope};

/// Codes of OpenAI and of those who speak its dialect, in lower case.
const CODES: &[(&str, Class)] = &[
    ("rate_limit_exceeded", Class::Rate),
    ("slow_down", Class::Rate),
    ("insufficient_quota", Class::Credit),
    ("credit_balance_exhausted", Class::Credit),
    ("organization_spend_limit_exceeded", Class::Credit),
    ("project_spend_limit_exceeded", Class::Credit),
    ("organization_usage_limit_exceeded", Class::Credit),
    ("billing_not_active", Class::Credit),
    ("billing_hard_limit_reached", Class::Credit),
    ("invalid_api_key", Class::AuthDead),
    ("account_deactivated", Class::AuthDead),
    ("model_not_found", Class::Model),
    ("deploymentnotfound", Class::Model),
    ("unsupported_country_region_territory", Class::Env),
    ("ip_not_authorized", Class::Env),
    ("server_is_overloaded", Class::Overload),
    ("capacity_exceeded", Class::Overload),
    ("context_length_exceeded", Class::Client),
    ("string_above_max_length", Class::Client),
    ("content_filter", Class::Client),
    ("content_policy_violation", Class::Client),
    ("moderation_blocked", Class::Client),
    ("invalid_prompt", Class::Client),
    ("invalid_encrypted_content", Class::Client),
    ("invalid_value", Class::Client),
    ("invalid_type", Class::Client),
    ("unsupported_value", Class::Client),
    ("unsupported_parameter", Class::Client),
    ("unknown_parameter", Class::Client),
    ("missing_required_parameter", Class::Client),
];

/// Types that say as much as a code; `invalid_request_error` does not, it comes with dead keys too.
const TYPES: &[(&str, Class)] = &[
    ("requests", Class::Rate),
    ("tokens", Class::Rate),
    ("rate_limit_error", Class::Rate),
    ("insufficient_quota", Class::Credit),
    ("billing_error", Class::Credit),
    ("authentication_error", Class::AuthDead),
    ("overloaded_error", Class::Overload),
    ("service_unavailable_error", Class::Overload),
];

/// Reasons of Google's servers behind their compatible endpoint.
const REASONS: &[(&str, Class)] = &[("api_key_invalid", Class::AuthDead)];

/// What a known code or type says about an answer with this status; `None` if there is none or it makes no sense there.
pub(super) fn outcome(status: StatusCode, fields: &Fields) -> Option<Outcome> {
    let (code, class) = find(fields).filter(|(_, class)| fits(*class, status.as_u16()))?;
    let mut outcome = Outcome {
        machine_code: true,
        ..Outcome::new(class, code)
    };
    // A project's cap stops that project's keys, and the quota group may be the whole organisation.
    if code == "project_spend_limit_exceeded" {
        outcome.scope = Scope::Credential;
    }
    Some(outcome)
}

/// The status with which an error's code usually comes, for one that came inside a 200.
pub(super) fn usual_status(fields: &Fields) -> Option<StatusCode> {
    let status = match find(fields)?.1 {
        Class::Rate | Class::Credit => StatusCode::TOO_MANY_REQUESTS,
        Class::AuthDead => StatusCode::UNAUTHORIZED,
        Class::Env => StatusCode::FORBIDDEN,
        Class::Model => StatusCode::NOT_FOUND,
        Class::Overload => StatusCode::SERVICE_UNAVAILABLE,
        Class::Client => StatusCode::BAD_REQUEST,
        _ => return None,
    };
    Some(status)
}

fn find(fields: &Fields) -> Option<(&'static str, Class)> {
    let among = |table: &[(&'static str, Class)], text: Option<&str>| {
        table.iter().copied().find(|(name, _)| Some(*name) == text)
    };
    among(CODES, fields.code.as_deref())
        .or_else(|| {
            fields
                .reasons
                .iter()
                .find_map(|reason| among(REASONS, Some(reason)))
        })
        .or_else(|| among(TYPES, fields.kind.as_deref()))
}

/// A code that comes with a status of another kind is not what it says: a 5xx is the server's fault whatever its body
/// quotes, and a server's code on a 4xx is no proof either.
fn fits(class: Class, status: u16) -> bool {
    match class {
        Class::Overload => matches!(status, 429 | 498 | 500..),
        Class::Rate => matches!(status, 413 | 429),
        Class::AuthDead => matches!(status, 400 | 401 | 403),
        Class::Model => matches!(status, 400 | 403 | 404),
        _ => (400..500).contains(&status),
    }
}

//! Words that tell apart what has no code of its own. They are the vendor's sentences of today, so what they decide is
//! never certain: nothing here sets `machine_code`.

use super::error_body::{ErrorBody, Fields};

/// The request is larger than the whole allowance: "Request too large … Limit 30000, Requested 45000".
pub(super) fn too_big(message: &str) -> bool {
    let exceeds = || {
        number(message, "requested ")
            .zip(number(message, "limit "))
            .is_some_and(|(asked, limit)| asked > limit)
    };
    message.contains("request too large") || exceeds()
}

/// The number after a word, at its first place that has one.
fn number(message: &str, word: &str) -> Option<u64> {
    message.split(word).skip(1).find_map(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest.get(..digits)?.parse().ok()
    })
}

/// A limit by the day or month.
pub(super) fn long_limit(message: &str) -> bool {
    [
        "per day",
        "per month",
        "(rpd)",
        "(tpd)",
        "perday",
        "daily limit",
        "monthly limit",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// A restricted key lacks the right for this call.
pub(super) fn missing_rights(message: &str) -> bool {
    message.contains("missing scopes") || message.contains("insufficient permissions")
}

/// The key's account is in no organisation any more.
pub(super) fn no_organisation(message: &str) -> bool {
    message.contains("must be a member of an organization")
}

/// The address from which we call is not allowed.
pub(super) fn egress(message: &str) -> bool {
    let address =
        message.contains("ip address") || message.contains("your ip") || message.contains("request ip");
    let refused = [
        "not authorized",
        "not allowed",
        "allowlist",
        "allow list",
        "blocked",
    ];
    let region = message.contains("country, region, or territory");
    region || address && refused.iter().any(|words| message.contains(words))
}

/// The model is not there, or not for this key.
pub(super) fn model(fields: &Fields) -> bool {
    let message = &fields.message;
    let absent = [
        "does not exist",
        "not found",
        "do not have access",
        "not have access",
        "not available",
    ];
    let of_param = fields.param.as_deref() == Some("model");
    (of_param || message.contains("model")) && absent.iter().any(|words| message.contains(words))
}

/// There is nothing at this path: the base URL is wrong, because the path behind it is ours.
pub(super) fn no_such_path(error: &ErrorBody) -> bool {
    match error {
        ErrorBody::Empty | ErrorBody::Html | ErrorBody::Text(_) | ErrorBody::Other => true,
        ErrorBody::Error(fields) => {
            fields.from_framework
                || fields.message.starts_with("invalid url")
                || fields.message.starts_with("unknown request url")
                || fields.message == "not found"
        }
    }
}

/// The text of the request was refused, under a status that is not 400.
pub(super) fn content_refused(message: &str) -> bool {
    [
        "moderation",
        "flagged",
        "content filter",
        "content policy",
        "denied token",
        "blocked output",
        "blocked input",
    ]
    .iter()
    .any(|words| message.contains(words))
}

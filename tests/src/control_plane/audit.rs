//! Reading the API server's audit log: who did what, from the server's side.

use std::path::Path;

use serde_json::Value;

/// One answered request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Such as `system:serviceaccount:keypool-system:keypool-operator`.
    pub user: String,
    pub verb: String,
    pub group: String,
    /// With its subresource, as rights name it: `pods/log`.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub status: u64,
    /// RFC 3339, as the server wrote it.
    pub time: String,
}

/// All requests so far. The last line may be half written: it is left out.
pub fn read(log: &Path) -> std::io::Result<Vec<Request>> {
    let text = std::fs::read_to_string(log)?;
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter_map(|value| request(&value))
        .collect())
}

fn request(event: &Value) -> Option<Request> {
    let text = |pointer: &str| {
        event
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let resource = match text("/objectRef/subresource") {
        subresource if subresource.is_empty() => text("/objectRef/resource"),
        subresource => format!("{}/{subresource}", text("/objectRef/resource")),
    };
    // With a resource only: others are questions about the server itself.
    (!resource.is_empty()).then(|| Request {
        user: text("/user/username"),
        verb: text("/verb"),
        group: text("/objectRef/apiGroup"),
        resource,
        namespace: text("/objectRef/namespace"),
        name: text("/objectRef/name"),
        status: event
            .pointer("/responseStatus/code")
            .and_then(Value::as_u64)
            .unwrap_or_default(),
        time: text("/requestReceivedTimestamp"),
    })
}

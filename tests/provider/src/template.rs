//! `${…}` in scripted headers and bodies: the few things that a script cannot know beforehand.

use std::time::{Duration, SystemTime};

/// What may be filled in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) key: &'a str,
    pub(crate) key_name: &'a str,
    pub(crate) model: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) now: SystemTime,
}

/// Fills in what is known; anything else stays as it stands.
pub(crate) fn fill(text: &str, values: &Values<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            continue;
        };
        match value(name, values) {
            Some(value) => out.push_str(&value),
            None => out.extend(["${", name, "}"]),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn value(name: &str, values: &Values<'_>) -> Option<String> {
    match name {
        "key" => return Some(values.key.to_owned()),
        "keyName" => return Some(values.key_name.to_owned()),
        "model" => return Some(values.model.to_owned()),
        "requestId" => return Some(values.request_id.to_owned()),
        _ => {}
    }
    if let Some(offset) = name.strip_prefix("httpdate") {
        return Some(httpdate::fmt_http_date(shifted(values.now, offset)?));
    }
    let at = shifted(values.now, name.strip_prefix("unix")?)?;
    Some(
        at.duration_since(SystemTime::UNIX_EPOCH)
            .ok()?
            .as_secs()
            .to_string(),
    )
}

fn shifted(now: SystemTime, offset: &str) -> Option<SystemTime> {
    if offset.is_empty() {
        return Some(now);
    }
    let seconds: i64 = offset.parse().ok()?;
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 {
        now.checked_sub(by)
    } else {
        now.checked_add(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_filled_and_others_left() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let values = Values {
            key: "sk-x",
            key_name: "a",
            model: "m",
            request_id: "r",
            now,
        };
        for (text, expected) in [
            ("${keyName}: ${key}!", "a: sk-x!"),
            ("${httpdate+45}", "Tue, 14 Nov 2023 22:14:05 GMT"),
            ("${unix-5}", "1699999995"),
            ("${unknown} ${open", "${unknown} ${open"),
            ("plain", "plain"),
        ] {
            assert_eq!(fill(text, &values), expected);
        }
    }
}

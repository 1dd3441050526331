//! Checks of single fields, for both kinds.

use keypool_contract::document::Header;
use keypool_crds::v1alpha1::shared::MAX_NAME_LENGTH;
use keypool_crds::v1alpha1::{self as api, Reason};

/// A spec that cannot be served, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Invalid {
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

impl Invalid {
    pub(crate) fn spec(message: String) -> Self {
        Self {
            reason: Reason::InvalidSpec,
            message: format!("{message}."),
        }
    }
}

/// Children take their names from the object's.
pub(crate) fn name(name: &str) -> Result<(), Invalid> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let good = name.len() <= MAX_NAME_LENGTH
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(allowed);
    if good {
        return Ok(());
    }
    Err(Invalid::spec(format!(
        "metadata.name must be a DNS label of at most {MAX_NAME_LENGTH} characters that begins with a letter; recreate the object under such a name"
    )))
}

/// A weight or a priority.
pub(crate) fn ranged(value: i32, path: &str) -> Result<u32, Invalid> {
    match u32::try_from(value) {
        Ok(value @ 0..=1000) => Ok(value),
        _ => Err(Invalid::spec(format!(
            "{path} is {value}; write a number from 0 to 1000"
        ))),
    }
}

/// A duration.
pub(crate) fn milliseconds(duration: &api::Duration, path: &str) -> Result<u64, Invalid> {
    let parsed = duration
        .parse()
        .map_err(|error| Invalid::spec(format!("{path}: {error}")))?;
    Ok(u64::try_from(parsed.as_millis()).unwrap_or(u64::MAX))
}

/// Fixed headers: each once, none that the proxies would refuse.
pub(super) fn headers(headers: &[api::Header], path: &str) -> Result<Vec<Header>, Invalid> {
    let mut names = std::collections::BTreeSet::new();
    for header in headers {
        if !names.insert(&header.name) {
            return Err(Invalid::spec(format!(
                "{path} holds {} twice; remove one",
                header.name
            )));
        }
        if api::shared::header::denied(&header.name) {
            return Err(Invalid::spec(format!(
                "{path} holds {}, which authenticates, routes or frames a request; put keys into credentials[].secretKeyRef and leave the rest to Keypool",
                header.name
            )));
        }
        if !plain_name(&header.name) || !plain_value(&header.value) {
            return Err(Invalid::spec(format!(
                "{path}: a header has a lower-case name and a value of visible ASCII characters, with spaces only inside; correct {}",
                header.name.escape_default()
            )));
        }
    }
    Ok(headers.iter().map(super::contract_header).collect())
}

fn plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

fn plain_value(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= 1024
        && value.trim_matches(' ') == value
        && value.bytes().all(|b| (0x20..0x7f).contains(&b))
}

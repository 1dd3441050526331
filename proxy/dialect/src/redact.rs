//! Blanks our keys in what a provider sends back.
//!
//! A provider's error may quote the key: whole (an echoing server), in another case, with its slashes escaped or
//! percent-encoded, cut short, or masked, as OpenAI does (`sk-abcde***************wxyz`), where the letters around the
//! mask are the key's. Each such letter becomes a `*`. The length never changes, so `content-length` stays true, and all
//! other bytes stay as they are: clients match on the wording of errors.

mod ends;
mod masked;

use std::ops::Range;

use http::{HeaderMap, HeaderValue};
use memchr::memmem;

pub use ends::Ends;

/// A secret shorter than this is no key; blanking it everywhere would destroy the text.
const SHORTEST: usize = 8;
/// The longest unmasked beginning or end of a key that may stay.
const PART: usize = 12;

/// Blanks every trace of `secrets` in `body` with `*`; the length stays. True if something was blanked.
pub fn body(body: &mut [u8], secrets: &[&[u8]]) -> bool {
    let mut traces = Vec::new();
    // Case does not matter: some servers fold what they echo.
    let text = body.to_ascii_lowercase();
    let masks = masked::masks(&text);
    for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
        let secret = secret.to_ascii_lowercase();
        for spelling in spellings(&secret) {
            traces.extend(all(&text, &spelling));
        }
        parts(&text, &secret, &mut traces);
        masked::find(&text, &masks, &secret, &mut traces);
    }
    for trace in &traces {
        if let Some(bytes) = body.get_mut(trace.clone()) {
            bytes.fill(b'*');
        }
    }
    !traces.is_empty()
}

/// The same for the values of headers.
pub fn headers(headers: &mut HeaderMap, secrets: &[&[u8]]) -> bool {
    let mut blanked = false;
    for value in headers.values_mut() {
        let mut bytes = value.as_bytes().to_vec();
        if body(&mut bytes, secrets) {
            // A star may stand in every value; if not, nothing of this one may stay.
            *value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static("*"));
            blanked = true;
        }
    }
    blanked
}

/// The ways in which a whole key is written.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let escape = |write: &dyn Fn(u8) -> Vec<u8>| secret.iter().flat_map(|byte| write(*byte)).collect();
    let json = |slash: bool| {
        move |byte: u8| match byte {
            b'"' | b'\\' => vec![b'\\', byte],
            b'/' if slash => vec![b'\\', byte],
            byte => vec![byte],
        }
    };
    let percent = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => vec![byte],
        byte => format!("%{byte:02x}").into_bytes(),
    };
    let mut spellings = vec![
        secret.to_vec(),
        escape(&json(false)),
        escape(&json(true)),
        escape(&percent),
    ];
    spellings.dedup();
    spellings
}

/// Every place of `needle`, overlapping ones too.
fn all(text: &[u8], needle: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| memmem::find(rest, needle)) {
        found.push(from + at..from + at + needle.len());
        from += at + 1;
    }
    found
}

/// A long beginning or end of the key without a mask. A vendor's prefix (`sk-proj-`) is no secret and stays.
fn parts(text: &[u8], secret: &[u8], traces: &mut Vec<Range<usize>>) {
    let public = secret
        .iter()
        .take(PART)
        .rposition(|byte| matches!(byte, b'-' | b'_'))
        .map_or(0, |at| at + 1);
    let beginning = PART.max(public + 4);
    if let Some(part) = secret.get(..beginning) {
        for found in all(text, part) {
            let after = text.get(found.end..).unwrap_or_default();
            let rest = secret.get(beginning..).unwrap_or_default();
            let more = after
                .iter()
                .zip(rest)
                .take_while(|(left, right)| left == right)
                .count();
            traces.push(found.start..found.end + more);
        }
    }
    if let Some(part) = secret.len().checked_sub(PART).and_then(|from| secret.get(from..)) {
        for found in all(text, part) {
            let before = text.get(..found.start).unwrap_or_default();
            let rest = secret.get(..secret.len() - PART).unwrap_or_default();
            let letters = before.iter().rev().zip(rest.iter().rev());
            let more = letters.take_while(|(left, right)| left == right).count();
            traces.push(found.start - more..found.end);
        }
    }
}

#[cfg(test)]
mod tests;

//! Masked keys: `sk-abcde****wxyz`, `sk-…wxyz`, "ending in wxyz". The letters beside the mask are the key's.

use std::ops::Range;

use memchr::memmem;

/// So many letters of a key beside a mask make it a mask of this key.
const BESIDE: usize = 3;
/// The most letters that anyone shows beside a mask.
const SHOWN: usize = 64;
/// The letters that are shown where there is no mask: "the key ending in wxyz".
const ENDING: usize = 4;

/// Signs of which masks are made, with how many of them make one; the last ones are also written as escapes.
const SIGNS: [(&[u8], usize); 9] = [
    (b"*", 2),
    (b".", 3),
    (b"x", 4),
    (b"#", 3),
    (b"-", 4),
    ("•".as_bytes(), 1),
    ("…".as_bytes(), 1),
    (b"\\u2022", 1),
    (b"\\u2026", 1),
];

/// The most masks that are looked at: no error has as many, and a text made of masks must not cost time.
const MOST: usize = 256;

/// Words before the end of a key.
const BEFORE_ENDING: [&[u8]; 6] = [
    b"ending in",
    b"ending with",
    b"ends in",
    b"ends with",
    b"last four",
    b"last 4",
];

/// Where masks stand in a text, looked for once for all secrets.
pub(super) fn masks(text: &[u8]) -> Vec<Range<usize>> {
    let mut masks: Vec<_> = SIGNS
        .iter()
        .flat_map(|(sign, least)| runs(text, sign, *least))
        .collect();
    masks.truncate(MOST);
    masks
}

/// Finds the letters of `secret` beside the masks of `text`; both in lower case.
pub(super) fn find(text: &[u8], masks: &[Range<usize>], secret: &[u8], traces: &mut Vec<Range<usize>>) {
    for mask in masks {
        let before = text.get(..mask.start).unwrap_or_default();
        let after = text.get(mask.end..).unwrap_or_default();
        let left = shown(
            secret,
            |letters| before.ends_with(letters),
            |length| secret.get(..length),
        );
        let right = shown(
            secret,
            |letters| after.starts_with(letters),
            |length| secret.get(secret.len().saturating_sub(length)..),
        );
        if left + right >= BESIDE {
            traces.push(mask.start - left..mask.start);
            traces.push(mask.end..mask.end + right);
        }
    }
    let Some(ending) = secret
        .len()
        .checked_sub(ENDING)
        .and_then(|from| secret.get(from..))
    else {
        return;
    };
    for words in BEFORE_ENDING {
        for at in memmem::find_iter(text, words) {
            let after = text.get(at + words.len()..).unwrap_or_default();
            // Quotes, a colon, a space or two.
            let gap = after
                .iter()
                .take(8)
                .take_while(|byte| !byte.is_ascii_alphanumeric())
                .count();
            if after.get(gap..).is_some_and(|rest| rest.starts_with(ending)) {
                let begin = at + words.len() + gap;
                traces.push(begin..begin + ENDING);
            }
        }
    }
}

/// How many letters of the key are shown: the longest part of it that fits.
fn shown<'a>(
    secret: &'a [u8],
    fits: impl Fn(&[u8]) -> bool,
    part: impl Fn(usize) -> Option<&'a [u8]>,
) -> usize {
    (1..=SHOWN.min(secret.len()))
        .rev()
        .find(|length| part(*length).is_some_and(&fits))
        .unwrap_or(0)
}

/// Where a sign stands at least so many times in a row.
fn runs(text: &[u8], sign: &[u8], least: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for at in memmem::find_iter(text, sign) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + sign.len(),
            _ => runs.push(at..at + sign.len()),
        }
    }
    runs.retain(|run| run.len() >= least * sign.len());
    runs
}

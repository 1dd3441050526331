//! What the body says: `Please try again in 1h2m3.5s`, `retry after 86400 seconds`, `"retryDelay": "46s"`.

use std::time::Duration;

use super::duration::{leading_units, number, units};

/// Words before a delay, in lower case. The text after each is searched in this order.
const BEFORE: [&str; 4] = ["try again in ", "retry in ", "retry after ", "try again after "];

/// Words for units, as the beginning of a word: plural or not. No unit at all means seconds.
const WORDS: [(&str, f64); 9] = [
    ("millisecond", 1e-3),
    ("second", 1.0),
    ("sec", 1.0),
    ("minute", 60.0),
    ("min", 60.0),
    ("hour", 3_600.0),
    ("day", 86_400.0),
    ("week", 604_800.0),
    ("month", 2_592_000.0),
];

/// The delay in an error's body.
pub(super) fn find(body: &[u8]) -> Option<Duration> {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    detail(&text).or_else(|| {
        BEFORE.into_iter().find_map(|before| {
            let mut rest = text.as_str();
            while let Some((_, after)) = rest.split_once(before) {
                if let Some(delay) = delay(after) {
                    return Some(delay);
                }
                rest = after;
            }
            None
        })
    })
}

/// Google's detail, which its OpenAI-compatible layer sends too.
fn detail(text: &str) -> Option<Duration> {
    let (_, after) = text.split_once("\"retrydelay\"")?;
    let value = after
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    units(value.split_once('"')?.0)
}

fn delay(text: &str) -> Option<Duration> {
    let text = text.trim_start();
    if let Some((delay, _)) = leading_units(text) {
        return Some(delay);
    }
    let (number, rest) = number(text)?;
    let rest = rest.trim_start_matches([' ', '-']);
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let word = rest.get(..letters).unwrap_or_default();
    let unit = WORDS
        .iter()
        .find(|(unit, _)| word.starts_with(unit))
        .map_or(1.0, |(_, length)| *length);
    Duration::try_from_secs_f64(number * unit).ok()
}

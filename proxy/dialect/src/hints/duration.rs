//! Delays: `12`, `0.5`, `6m0s`, `1h2m3.5s`, `20ms`.

use std::time::Duration;

/// Units with their length in seconds; where one begins like another, the longer first.
const UNITS: [(&str, f64); 9] = [
    ("ms", 1e-3),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("ns", 1e-9),
    ("d", 86_400.0),
    ("h", 3_600.0),
    ("m", 60.0),
    ("s", 1.0),
];

/// A number of seconds.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let (number, rest) = number(text)?;
    if rest.is_empty() {
        Duration::try_from_secs_f64(number).ok()
    } else {
        None
    }
}

/// A number of milliseconds.
pub(super) fn milliseconds(text: &str) -> Option<Duration> {
    let (number, rest) = number(text)?;
    if rest.is_empty() {
        Duration::try_from_secs_f64(number / 1e3).ok()
    } else {
        None
    }
}

/// Numbers with units, and nothing else.
pub(super) fn units(text: &str) -> Option<Duration> {
    let (duration, rest) = leading_units(text)?;
    rest.is_empty().then_some(duration)
}

/// Numbers with units at the beginning of a text, and what follows them. A letter right after the last unit makes it
/// no unit (`5minutes` is not 5 m).
pub(super) fn leading_units(text: &str) -> Option<(Duration, &str)> {
    let mut rest = text;
    let mut sum = 0.0;
    while let Some((number, after)) = number(rest) {
        let unit = UNITS
            .iter()
            .find_map(|(unit, length)| Some((after.strip_prefix(unit)?, length)));
        let Some((after, length)) = unit else { break };
        if after.starts_with(char::is_alphabetic) {
            break;
        }
        sum += number * length;
        rest = after;
    }
    if rest.len() == text.len() {
        return None;
    }
    Duration::try_from_secs_f64(sum)
        .ok()
        .map(|duration| (duration, rest))
}

/// Digits with at most one point: no sign, no exponent, no `inf`.
pub(super) fn number(text: &str) -> Option<(f64, &str)> {
    let integer = text.bytes().take_while(u8::is_ascii_digit).count();
    let (_, after) = text.split_at_checked(integer)?;
    let fraction = match after.strip_prefix('.') {
        Some(digits) => digits.bytes().take_while(u8::is_ascii_digit).count(),
        None => 0,
    };
    let length = integer + if fraction > 0 { fraction + 1 } else { 0 };
    let (number, rest) = text.split_at_checked(length).filter(|_| integer > 0)?;
    number.parse().ok().map(|number| (number, rest))
}

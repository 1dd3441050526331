//! Instants: HTTP dates, RFC 3339, Unix time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `Fri, 20 Nov 2026 10:42:00 GMT`, and the two older forms.
pub(super) fn http_date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

/// A number that is too large for a delay: seconds since 1970, or milliseconds.
pub(super) fn unix(number: Duration) -> Option<SystemTime> {
    /// 2001; as a delay this would be thirty years.
    const SECONDS: u64 = 1_000_000_000;
    /// 2001 in milliseconds; as seconds the year 33658.
    const MILLISECONDS: u64 = SECONDS * 1_000;
    match number.as_secs() {
        MILLISECONDS.. => UNIX_EPOCH.checked_add(number / 1_000),
        SECONDS.. => UNIX_EPOCH.checked_add(number),
        _ => None,
    }
}

/// `2026-11-20T10:42:00Z`, with fractions and offsets, from 1970 on.
pub(super) fn rfc3339(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = fields(date, '-')?;
    let (clock, offset) = match time.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => {
            let sign = time.rfind(['+', '-'])?;
            let (clock, offset) = time.split_at(sign);
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let seconds = (digits(hours, 23)? * 60 + digits(minutes, 59)?) * 60;
            (
                clock,
                if offset.starts_with('-') {
                    -seconds
                } else {
                    seconds
                },
            )
        }
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = fields(clock, ':')?;
    let in_range = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let whole = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    let fraction_digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: f64 = format!("0.{fraction}")
        .parse()
        .ok()
        .filter(|_| fraction_digits && in_range)?;
    let since =
        Duration::from_secs(u64::try_from(whole).ok()?) + Duration::try_from_secs_f64(fraction).ok()?;
    UNIX_EPOCH.checked_add(since)
}

fn fields(text: &str, by: char) -> Option<[i64; 3]> {
    let mut parts = text.split(by);
    let fields = [parts.next()?, parts.next()?, parts.next()?];
    let [first, second, third] = fields.map(|field| digits(field, 9_999));
    if parts.next().is_some() {
        None
    } else {
        Some([first?, second?, third?])
    }
}

fn digits(text: &str, most: i64) -> Option<i64> {
    let all = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| all && *number <= most)
}

/// Days from 1970-01-01 to a date. Years begin in March here, so that the leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let before_month = (153 * month + 2) / 5;
    year * 365 + year / 4 - year / 100 + year / 400 + before_month + day - 1 - 719_468
}

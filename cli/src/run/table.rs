//! The table of all keys, as text.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::Row;

const TITLES: [&str; 8] = [
    "GROUP", "MEMBER", "KEY", "STATE", "REASON", "LEFT", "REQUESTS", "SHARE",
];
const STATE: usize = 3;
const BETWEEN: &str = "  ";

/// Whether states have colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Style {
    /// For files and programs.
    Plain,
    /// For a terminal.
    Coloured,
}

/// The lines of the table, its titles first.
pub(crate) fn lines(rows: &[Row], style: Style) -> Vec<String> {
    let cells = cells(rows);
    let all = || std::iter::once(TITLES.map(str::to_owned)).chain(cells.iter().cloned());
    let widths: Vec<usize> = (0..TITLES.len())
        .map(|column| {
            all()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    all().map(|row| line(&row, &widths, style)).collect()
}

fn cells(rows: &[Row]) -> Vec<[String; 8]> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        *totals.entry(&row.group).or_default() += row.requests;
    }
    let mut above: Option<&Row> = None;
    rows.iter()
        .map(|row| {
            let same_group = above.is_some_and(|above| above.group == row.group);
            let same_member = same_group && above.is_some_and(|above| above.member == row.member);
            above = Some(row);
            let total = totals.get(row.group.as_str()).copied().unwrap_or_default();
            let unless = |same: bool, text: &str| if same { String::new() } else { text.to_owned() };
            [
                unless(same_group, &row.group),
                unless(same_member, &row.member),
                row.key.clone(),
                row.state.to_owned(),
                row.reason.to_owned(),
                row.left.map(left).unwrap_or_default(),
                if row.key.is_empty() {
                    String::new()
                } else {
                    row.requests.to_string()
                },
                if row.requests == 0 {
                    String::new()
                } else {
                    format!("{:.2}", row.requests as f64 / total as f64)
                },
            ]
        })
        .collect()
}

fn line(row: &[String; 8], widths: &[usize], style: Style) -> String {
    let padded = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
        let text = format!("{cell:width$}");
        match (style, column) {
            (Style::Coloured, STATE) => coloured(cell, &text),
            _ => text,
        }
    });
    padded.collect::<Vec<_>>().join(BETWEEN).trim_end().to_owned()
}

fn coloured(state: &str, text: &str) -> String {
    let colour = match state {
        "Healthy" => 32,
        "CoolingDown" => 33,
        "Invalid" | "Exhausted" | "Missing" | "Malformed" | "Unresolved" | "NotAccepted" => 31,
        "Disabled" => 2,
        _ => return text.to_owned(),
    };
    format!("\x1b[{colour}m{text}\x1b[0m")
}

/// A time that is left, rounded up: what shows 1s is not over yet.
pub(crate) fn left(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(group: &str, member: &str, key: &str, state: &'static str, requests: u64) -> Row {
        let reason = match state {
            "Healthy" => "Proven",
            "CoolingDown" => "RateLimited",
            _ => "SecretNotFound",
        };
        let left = (state == "CoolingDown").then(|| Duration::from_millis(41_100));
        Row {
            group: group.into(),
            member: member.into(),
            key: key.into(),
            state,
            reason,
            left,
            requests,
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row("chat", "openai", "team-a", "Healthy", 128),
            row("chat", "openai", "team-b", "CoolingDown", 43),
            row("chat", "vllm", "anonymous", "Healthy", 57),
            row("embed", "openai", "team-a", "Missing", 0),
            Row {
                key: String::new(),
                reason: "ProviderNotFound",
                ..row("embed", "gone", "", "Unresolved", 0)
            },
        ]
    }

    #[test]
    fn the_table_is_as_drawn() {
        insta::assert_snapshot!(lines(&rows(), Style::Plain).join("\n"), @r"
        GROUP  MEMBER  KEY        STATE        REASON            LEFT  REQUESTS  SHARE
        chat   openai  team-a     Healthy      Proven                  128       0.56
                       team-b     CoolingDown  RateLimited       42s   43        0.19
               vllm    anonymous  Healthy      Proven                  57        0.25
        embed  openai  team-a     Missing      SecretNotFound          0
               gone               Unresolved   ProviderNotFound
        ");
    }

    #[test]
    fn colours_change_no_width() {
        let plain = lines(&rows(), Style::Plain);
        let coloured = lines(&rows(), Style::Coloured);
        let stripped: Vec<String> = coloured
            .iter()
            .map(|line| {
                line.replace("\x1b[32m", "")
                    .replace("\x1b[33m", "")
                    .replace("\x1b[31m", "")
                    .replace("\x1b[0m", "")
            })
            .collect();
        assert_eq!(stripped, plain);
        assert_ne!(coloured, plain);
    }

    #[test]
    fn times_are_short() {
        for (ms, want) in [
            (1, "1s"),
            (59_000, "59s"),
            (59_001, "1m00s"),
            (754_000, "12m34s"),
            (3_600_000, "1h00m"),
            (90_000_000, "25h00m"),
        ] {
            assert_eq!(left(Duration::from_millis(ms)), want, "{ms}");
        }
    }
}

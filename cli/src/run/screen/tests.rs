use super::*;
use std::time::Duration;

fn row(key: &str, state: &'static str, reason: &'static str) -> Row {
    let left = (state == "CoolingDown").then(|| Duration::from_secs(17));
    Row {
        group: "chat".into(),
        member: "a".into(),
        key: key.into(),
        state,
        reason,
        left,
        requests: 4,
    }
}

fn view(rows: &[Row], concerns: &[&str]) -> View {
    View {
        rows: rows.to_vec(),
        concerns: concerns.iter().map(|concern| (*concern).to_owned()).collect(),
        footer: "the footer".into(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn lines() -> Screen<Vec<u8>> {
    Screen {
        out: Vec::new(),
        manner: Manner::Lines { last: None },
    }
}

fn live() -> Screen<Vec<u8>> {
    Screen {
        out: Vec::new(),
        manner: Manner::Live(Block::default()),
    }
}

fn text(screen: &Screen<Vec<u8>>) -> String {
    String::from_utf8(screen.out.clone()).unwrap()
}

/// What stands on a terminal after these bytes: enough of one for what a screen writes.
fn terminal(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let mut lines = vec![String::new()];
    let mut at = 0;
    let mut rest = text.as_str();
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\n' => {
                at += 1;
                if lines.len() == at {
                    lines.push(String::new());
                }
            }
            '\r' => {}
            '\x1b' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let (number, command) = (&rest[1..end], &rest[end..=end]);
                match command {
                    "A" => at -= number.parse::<usize>().unwrap(),
                    "J" => {
                        lines.truncate(at + 1);
                        lines[at].clear();
                    }
                    "K" => lines[at].clear(),
                    other => panic!("{other}"),
                }
                rest = &rest[end + 1..];
            }
            other => lines[at].push(other),
        }
    }
    lines
}

#[test]
fn without_a_terminal_transitions_are_lines() {
    let mut screen = lines();
    let size = Size::default();
    screen
        .draw(&view(&[row("k", "Healthy", "Proven")], &["mend it"]), size, at(0))
        .unwrap();
    screen
        .draw(&view(&[row("k", "Healthy", "Proven")], &["mend it"]), size, at(1))
        .unwrap();
    screen
        .draw(&view(&[row("k", "CoolingDown", "RateLimited")], &[]), size, at(2))
        .unwrap();
    screen
        .draw(
            &view(&[row("l", "Unknown", "NotUsedYet")], &["again"]),
            size,
            at(3),
        )
        .unwrap();
    insta::assert_snapshot!(text(&screen), @r"
    GROUP  MEMBER  KEY  STATE    REASON  LEFT  REQUESTS  SHARE
    chat   a       k    Healthy  Proven        4         1.00
    08:00:00Z ! mend it
    08:00:02Z chat a k: CoolingDown (RateLimited), 17s left; was Healthy (Proven)
    08:00:03Z chat a l: Unknown (NotUsedYet); new
    08:00:03Z chat a k: gone
    08:00:03Z ! again
    ");
}

#[test]
fn on_a_terminal_the_block_stays_in_its_place() {
    let mut screen = live();
    let size = Size {
        columns: 60,
        rows: 20,
    };
    screen.say(&["hello".into()]).unwrap();
    screen
        .draw(&view(&[row("k", "Healthy", "Proven")], &["a", "b"]), size, at(0))
        .unwrap();
    screen
        .draw(&view(&[row("k", "CoolingDown", "RateLimited")], &[]), size, at(1))
        .unwrap();
    screen.say(&["more".into()]).unwrap();
    // The person types s and Enter.
    screen.out.extend_from_slice(b"s\n");
    screen.typed();
    screen.print("status: yes\n").unwrap();
    let before = screen.out.len();
    screen
        .draw(&view(&[row("k", "CoolingDown", "RateLimited")], &[]), size, at(1))
        .unwrap();
    assert_eq!(screen.out.len(), before, "nothing changed, nothing is written");
    assert_eq!(
        terminal(&screen.out),
        [
            "hello",
            "more",
            "status: yes",
            "GROUP  MEMBER  KEY  STATE        REASON       LEFT  REQUESTS",
            "chat   a       k    CoolingDown  RateLimited  17s   4       ",
            "the footer",
            ""
        ]
    );
}

#[test]
fn what_is_said_after_the_end_stands_below_the_last_picture() {
    let mut screen = live();
    let size = Size {
        columns: 60,
        rows: 20,
    };
    let last = View {
        footer: String::new(),
        ..view(&[row("k", "Healthy", "Proven")], &[])
    };
    screen
        .draw(&view(&[row("k", "Healthy", "Proven")], &[]), size, at(0))
        .unwrap();
    screen.draw(&last, size, at(1)).unwrap();
    screen.finish().unwrap();
    screen.say(&["the end".into()]).unwrap();
    let lines = terminal(&screen.out);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[2..], ["the end", ""]);
}

#[test]
fn the_block_is_never_larger_than_the_terminal() {
    let rows: Vec<Row> = (0..50)
        .map(|number| row(&format!("key-{number}"), "Healthy", "Proven"))
        .collect();
    for size in [
        Size {
            columns: 30,
            rows: 10,
        },
        Size { columns: 1, rows: 1 },
        Size {
            columns: 200,
            rows: 200,
        },
    ] {
        let view = view(&rows, &["a concern that is longer than thirty characters"]);
        let lines = layout(&view, size, Style::Plain);
        assert!(lines.len() < size.rows.max(4), "{size:?}: {lines:?}");
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() <= size.columns.max(20)),
            "{size:?}: {lines:?}"
        );
    }
    let lines = layout(
        &view(&rows, &[]),
        Size {
            columns: 80,
            rows: 10,
        },
        Style::Plain,
    );
    assert_eq!(lines[7], "and 44 more; s and Enter shows them all");
    assert_eq!(lines.len(), 9);
}

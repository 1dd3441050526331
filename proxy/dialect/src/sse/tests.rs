//! The splitter, at every cut and against a plain reading of the whole.

use proptest::prelude::{Just, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::*;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Event(String, String),
    Comment,
    Oversized,
}

fn split<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Owned>, Position) {
    let mut splitter = Splitter::default();
    let mut items = Vec::new();
    let mut fed = 0;
    for chunk in chunks {
        fed += chunk.len();
        splitter.feed(chunk, |item| {
            items.push(match item {
                Item::Event { name, data } => Owned::Event(text(name), text(data)),
                Item::Comment => Owned::Comment,
                Item::Oversized => Owned::Oversized,
            });
        });
        let open = splitter.open_bytes();
        assert!(open <= fed, "{open} of {fed} bytes");
        assert_eq!(open == 0, splitter.position() == Position::Boundary);
    }
    (items, splitter.position())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn event(data: &str) -> Owned {
    Owned::Event(String::new(), data.to_owned())
}

#[test]
fn splits_every_form_at_every_cut() {
    use Owned::{Comment, Event};
    use Position::{Boundary, InLine, LineEnd};
    let cases: Vec<(&str, Vec<Owned>, Position)> = vec![
        ("data: a\n\ndata: b\n\n", vec![event("a"), event("b")], Boundary),
        (
            "data: a\r\n\r\ndata: b\r\n\r\n",
            vec![event("a"), event("b")],
            Boundary,
        ),
        ("data: a\r\rdata: b\r\r", vec![event("a"), event("b")], Boundary),
        ("\u{feff}data: a\n\n", vec![event("a")], Boundary),
        ("data: a\n\n\u{feff}data: b\n\n", vec![event("a")], Boundary),
        ("data:a\n\n", vec![event("a")], Boundary),
        ("data:  a\n\n", vec![event(" a")], Boundary),
        ("data\n\n", vec![event("")], Boundary),
        ("data:\n\n", vec![event("")], Boundary),
        ("data: a\ndata: b\ndata:\n\n", vec![event("a\nb\n")], Boundary),
        (
            ": ping\n\ndata: a\n: more\n\n",
            vec![Comment, Comment, event("a")],
            Boundary,
        ),
        (":\n", vec![Comment], Boundary),
        ("data: a\n:\n", vec![Comment], LineEnd),
        (
            "event: error\ndata: a\nid: 1\nretry: 5\n\n",
            vec![Event("error".into(), "a".into())],
            Boundary,
        ),
        ("event: x\n\ndata: a\n\n", vec![event("a")], Boundary),
        ("\n\n\n", vec![], Boundary),
        ("", vec![], Boundary),
        ("data: a\n", vec![], LineEnd),
        ("data: a", vec![], InLine),
        ("da", vec![], InLine),
        ("data: a\n\nd", vec![event("a")], InLine),
        ("data: a\n\nevent: x\n", vec![event("a")], LineEnd),
        ("data: {\"é\":1}\n\n", vec![event("{\"é\":1}")], Boundary),
    ];
    for (stream, items, position) in cases {
        let expected = (items, position);
        for cut in 0..=stream.len() {
            let (left, right) = stream.as_bytes().split_at(cut);
            assert_eq!(split([left, right]), expected, "{stream:?} cut at {cut}");
        }
        assert_eq!(
            split(stream.as_bytes().chunks(1)),
            expected,
            "{stream:?} byte by byte"
        );
    }
}

#[test]
fn lets_a_large_event_pass_and_finds_the_next() {
    let part = "x".repeat(1024 * 1024);
    for lines in ["", "\ndata: "] {
        let mut chunks = vec![b"data: ".to_vec()];
        for _ in 0..9 {
            chunks.push(part.clone().into_bytes());
            chunks.push(lines.as_bytes().to_vec());
        }
        chunks.push(b"\n\ndata: next\n\n".to_vec());
        let (items, position) = split(chunks.iter().map(Vec::as_slice));
        assert_eq!(
            (items, position),
            (vec![Owned::Oversized, event("next")], Position::Boundary)
        );
    }
}

#[test]
fn tells_what_the_end_cut_off() {
    let unfinished = |stream: &str| {
        let mut splitter = Splitter::default();
        splitter.feed(stream.as_bytes(), |_| {});
        text(splitter.unfinished())
    };
    assert_eq!(unfinished("data: a\n\ndata: [DONE]"), "[DONE]");
    assert_eq!(unfinished("data: a\n\ndata: [DONE]\n"), "[DONE]");
    assert_eq!(unfinished("data: a\n\n"), "");
    assert_eq!(unfinished("data: a\ndata: [DONE]"), "a");
}

/// A plain reading of a whole stream.
fn naive(stream: &str) -> Vec<Owned> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let Some((lines, _)) = stream.rsplit_once('\n') else {
        return Vec::new();
    };
    let (mut items, mut name, mut data) = (Vec::new(), String::new(), Vec::new());
    for line in lines.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            _ if line.is_empty() => {
                if !data.is_empty() {
                    items.push(Owned::Event(name.clone(), data.join("\n")));
                }
                name.clear();
                data.clear();
            }
            "" => items.push(Owned::Comment),
            "data" => data.push(value.to_owned()),
            "event" => name = value.to_owned(),
            _ => {}
        }
    }
    items
}

proptest! {
    #[test]
    fn agrees_with_a_plain_reading(
        parts in prop::collection::vec(prop_oneof![
            Just("data: ".to_owned()), Just("data".to_owned()), Just("event: e".to_owned()), Just(":".to_owned()),
            Just("\n".to_owned()), Just("\r\n".to_owned()), Just("\r".to_owned()), Just("\n\n".to_owned()),
            Just("\u{feff}".to_owned()), "[a-z :]{0,4}",
        ], 0..30),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let stream = parts.concat();
        let bytes = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut begin = 0;
        let mut chunks = Vec::new();
        for cut in cuts {
            chunks.push(&bytes[begin..cut]);
            begin = cut;
        }
        chunks.push(&bytes[begin..]);
        let (items, _) = split(chunks);
        prop_assert_eq!(items, naive(&stream));
    }

    /// What precedes the open bytes is whole, and they themselves complete nothing.
    #[test]
    fn open_bytes_are_those_of_the_last_event(
        parts in prop::collection::vec(prop_oneof![
            Just("data: a"), Just("data"), Just("event: e"), Just(": c"), Just("\n"), Just("\r\n"), Just("\r"), Just("\n\n"),
        ], 0..30),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream = parts.concat();
        let (left, right) = stream.as_bytes().split_at(cut.index(stream.len() + 1));
        let mut splitter = Splitter::default();
        splitter.feed(left, |_| {});
        splitter.feed(right, |_| {});
        let (passed, open) = stream.split_at(stream.len() - splitter.open_bytes());
        prop_assert_eq!(split([passed.as_bytes()]).1, Position::Boundary);
        prop_assert!(naive(&stream).starts_with(&naive(passed)));
        prop_assert!(!naive(open).iter().any(|item| matches!(item, Owned::Event(..))), "{open:?}");
    }
}

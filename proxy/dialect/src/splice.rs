//! Changes the model in a body that is a queue of frames; everything else keeps its bytes and its memory.

use std::ops::Range;

use bytes::Bytes;

use crate::scan::{ModelPlace, Scan};

/// The frames with `model` as the value of the top level's `"model"`. `scan` is the scan of these frames. Untouched
/// frames and parts of frames share their memory with the given ones; where the model is that already, nothing changes.
pub fn with_model(frames: &[Bytes], scan: &Scan, model: &str) -> Vec<Bytes> {
    if scan.model.as_deref() == Some(model) {
        return frames.to_vec();
    }
    let value = serde_json::Value::from(model);
    match &scan.place {
        ModelPlace::Replace(range) => replace(frames, range, Bytes::from(value.to_string())),
        ModelPlace::Insert { at, comma } => {
            let member = format!(r#""model":{value}{}"#, if *comma { "," } else { "" });
            replace(frames, &(*at..*at), Bytes::from(member))
        }
    }
}

/// The length of a queue of frames, in bytes.
pub fn length(frames: &[Bytes]) -> usize {
    frames.iter().map(Bytes::len).sum()
}

/// The frames with other bytes in place of `range`, which lies within them. Frames without bytes are left out.
fn replace(frames: &[Bytes], range: &Range<usize>, by: Bytes) -> Vec<Bytes> {
    let mut spliced = Vec::with_capacity(frames.len() + 2);
    let mut by = Some(by);
    let mut begin = 0;
    for frame in frames {
        let end = begin + frame.len();
        // The parts of this frame before and after the range.
        let before = range.start.clamp(begin, end) - begin;
        let after = range.end.clamp(begin, end) - begin;
        if before > 0 {
            spliced.push(frame.slice(..before));
        }
        if range.start <= end {
            spliced.extend(by.take());
        }
        if after < frame.len() {
            spliced.push(frame.slice(after..));
        }
        begin = end;
    }
    spliced.extend(by);
    spliced
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::scan::Scanner;

    fn cut(body: &[u8], sizes: &[usize]) -> Vec<Bytes> {
        let mut rest = Bytes::copy_from_slice(body);
        let mut frames: Vec<_> = sizes
            .iter()
            .map(|&size| rest.split_to(size.min(rest.len())))
            .collect();
        frames.push(rest);
        frames
    }

    fn scan(frames: &[Bytes]) -> Scan {
        let mut scanner = Scanner::new();
        frames.iter().for_each(|frame| scanner.push(frame).unwrap());
        scanner.finish().unwrap()
    }

    fn spliced(body: &str, model: &str, sizes: &[usize]) -> String {
        let frames = cut(body.as_bytes(), sizes);
        let spliced = with_model(&frames, &scan(&frames), model);
        assert_eq!(length(&spliced), spliced.concat().len());
        String::from_utf8(spliced.concat()).unwrap()
    }

    #[test]
    fn puts_the_model_in_its_place_at_every_cut() {
        let cases = [
            ("{}", "b", r#"{"model":"b"}"#),
            (" { }", "b", r#" {"model":"b" }"#),
            (r#"{"n":1}"#, "b", r#"{"model":"b","n":1}"#),
            (r#"{"model":"aaaa","n":1}"#, "b", r#"{"model":"b","n":1}"#),
            (r#"{"n": 1, "model" : null }"#, "b", r#"{"n": 1, "model" : "b" }"#),
            (
                r#"{"mod\u0065l":"\u0061"}"#,
                "longer/model",
                r#"{"mod\u0065l":"longer/model"}"#,
            ),
            // The same model keeps even its spelling.
            (r#"{"model":"\u0061"}"#, "a", r#"{"model":"\u0061"}"#),
            (r#"{"model":"a"}"#, "q\"u\\o\n", r#"{"model":"q\"u\\o\n"}"#),
        ];
        for (body, model, expected) in cases {
            for first in 0..=body.len() {
                for second in 0..=body.len() - first {
                    assert_eq!(
                        spliced(body, model, &[first, second]),
                        expected,
                        "cut {first} {second}"
                    );
                }
            }
        }
    }

    #[test]
    fn shares_the_memory_of_what_it_leaves() {
        let frames = cut(
            br#"{"messages":"long long long","model":"a","stream":true}"#,
            &[12],
        );
        let spliced = with_model(&frames, &scan(&frames), "other");
        assert_eq!(spliced[0].as_ptr(), frames[0].as_ptr());
        assert_eq!(spliced[1].as_ptr(), frames[1].as_ptr());
        let last = spliced.last().unwrap();
        assert_eq!(last.as_ptr_range().end, frames[1].as_ptr_range().end);
    }

    proptest! {
        #[test]
        fn changes_the_model_and_nothing_else(
            before in prop::collection::btree_map("[a-e]{1,4}", ".{0,20}", 0..4),
            after in prop::collection::btree_map("[v-z]{1,4}", ".{0,20}", 0..4),
            old in prop::option::of(".{0,20}"),
            new in ".{0,20}",
            sizes in prop::collection::vec(any::<u8>().prop_map(usize::from), 0..8),
        ) {
            let mut body = serde_json::Map::new();
            body.extend(before.into_iter().map(|(name, value)| (name, value.into())));
            if let Some(old) = old {
                body.insert("model".to_owned(), old.into());
            }
            body.extend(after.into_iter().map(|(name, value)| (name, value.into())));
            let frames = cut(&serde_json::to_vec(&body).unwrap(), &sizes);
            let changed = with_model(&frames, &scan(&frames), &new);
            prop_assert!(changed.iter().all(|frame| !frame.is_empty()) || frames.concat() == changed.concat());
            body.insert("model".to_owned(), new.into());
            let changed: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&changed.concat()).unwrap();
            prop_assert_eq!(changed, body);
        }
    }
}

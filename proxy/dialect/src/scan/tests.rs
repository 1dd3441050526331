//! The scan against serde_json, at every cut.

use std::collections::BTreeMap;

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use serde::de::IgnoredAny;

use super::{DEPTH_LIMIT, Field, MODEL_LIMIT, ModelPlace, Scan, ScanError, Scanner};

fn scan(body: &[u8]) -> Result<Scan, ScanError> {
    scan_frames([body])
}

fn scan_frames<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Result<Scan, ScanError> {
    let mut scanner = Scanner::new();
    for frame in frames {
        scanner.push(frame)?;
    }
    scanner.finish()
}

/// The same at every single cut, and byte by byte.
fn scan_everywhere(body: &[u8]) -> Result<Scan, ScanError> {
    let whole = scan(body);
    for cut in 0..=body.len() {
        let (left, right) = body.split_at(cut);
        assert_eq!(
            scan_frames([left, right]),
            whole,
            "cut at {cut}: {}",
            String::from_utf8_lossy(body)
        );
    }
    assert_eq!(
        scan_frames(body.chunks(1)),
        whole,
        "byte by byte: {}",
        String::from_utf8_lossy(body)
    );
    whole
}

#[test]
fn reads_the_fields_of_a_chat_request() {
    let body = r#" {"messages":[{"role":"user","content":"\"model\":\"no\"","model":"inner"}],
        "model" : "gpt-4.1", "stream":true,"stream_options":{"x":[{}],"include_usage":true,"model":"inner"},
        "max_tokens":100,"max_completion_tokens":2e2,"n":2,"prompt_cache_key":"a\u0062c","temperature":-0.7e-3}
    "#;
    let place = body.find(r#""gpt-4.1""#).unwrap();
    let expected = Scan {
        model: Some("gpt-4.1".to_owned()),
        place: ModelPlace::Replace(place..place + 9),
        stream: true,
        include_usage: true,
        max_tokens: Some(100),
        max_completion_tokens: Some(200),
        n: Some(2),
        prompt_cache_key: Some("abc".to_owned()),
    };
    assert_eq!(scan_everywhere(body.as_bytes()), Ok(expected));
}

#[test]
fn tells_where_a_model_goes() {
    let place = |body: &str| scan_everywhere(body.as_bytes()).unwrap().place;
    assert_eq!(place("{}"), ModelPlace::Insert { at: 1, comma: false });
    assert_eq!(place(" \n{ }"), ModelPlace::Insert { at: 3, comma: false });
    assert_eq!(place(r#"{"n":1}"#), ModelPlace::Insert { at: 1, comma: true });
    assert_eq!(place(r#"{"model":null}"#), ModelPlace::Replace(9..13));
    assert_eq!(place(r#"{"model":""}"#), ModelPlace::Replace(9..11));
    assert_eq!(
        place(r#"{"a":{},"mod\u0065l" : "\u0061b","b":1}"#),
        ModelPlace::Replace(23..32)
    );
}

#[test]
fn judges_each_body() {
    use ScanError::{Duplicate, Lookalike, NotAnObject, NotText, Syntax, TooDeep, Truncated, WrongType};
    let cases: &[(&[u8], ScanError)] = &[
        (b"", NotAnObject),
        (b"  \n", NotAnObject),
        (b"[]", NotAnObject),
        (b"null", NotAnObject),
        (b"\"model\"", NotAnObject),
        (b"\xef\xbb\xbf{}", NotAnObject),
        (b"{", Truncated),
        (b"{\"model\":\"a\"", Truncated),
        (b"{\"model\":\"a", Truncated),
        (b"{\"model\":\"a\\", Truncated),
        (b"{\"n\":1", Truncated),
        (b"{\"n\":tru", Truncated),
        (b"{}x", Syntax { at: 2 }),
        (b"{}{}", Syntax { at: 2 }),
        (b"{\"model\":\"a\"}\0", Syntax { at: 13 }),
        (b"{,}", Syntax { at: 1 }),
        (b"{\"a\":1,}", Syntax { at: 7 }),
        (b"{\"a\":[1,]}", Syntax { at: 8 }),
        (b"{\"a\":[1}", Syntax { at: 7 }),
        (b"{\"a\":{]}", Syntax { at: 6 }),
        (b"{\"a\" 1}", Syntax { at: 5 }),
        (b"{a:1}", Syntax { at: 1 }),
        (b"{'a':1}", Syntax { at: 1 }),
        (b"{\"a\":01}", Syntax { at: 6 }),
        (b"{\"a\":1.}", Syntax { at: 7 }),
        (b"{\"a\":-}", Syntax { at: 6 }),
        (b"{\"a\":+1}", Syntax { at: 5 }),
        (b"{\"a\":1e}", Syntax { at: 7 }),
        (b"{\"a\":NaN}", Syntax { at: 5 }),
        (b"{\"a\":trux}", Syntax { at: 8 }),
        (b"{\"a\":truee}", Syntax { at: 9 }),
        (b"{\"a\":nul }", Syntax { at: 8 }),
        (b"{\"a\":\"\\x\"}", Syntax { at: 7 }),
        (b"{\"a\":\"\\u12G4\"}", Syntax { at: 10 }),
        (b"{\"a\":\"\\u12\"}", Syntax { at: 10 }),
        (b"{\"a\":\"\n\"}", Syntax { at: 6 }),
        (b"{\"a\":/*c*/1}", Syntax { at: 5 }),
        (b"{\"model\":\"a\",\"model\":\"a\"}", Duplicate(Field::Model)),
        (
            b"{\"model\":\"a\",\"mod\\u0065l\":\"b\"}",
            Duplicate(Field::Model),
        ),
        (b"{\"model\":null,\"model\":\"b\"}", Duplicate(Field::Model)),
        (b"{\"stream\":true,\"stream\":false}", Duplicate(Field::Stream)),
        (b"{\"n\":1,\"n\":2}", Duplicate(Field::N)),
        (
            b"{\"max_tokens\":1,\"max_tokens\":1}",
            Duplicate(Field::MaxTokens),
        ),
        (
            b"{\"max_tokens\":\"x\",\"max_tokens\":1}",
            Duplicate(Field::MaxTokens),
        ),
        (
            b"{\"prompt_cache_key\":[],\"prompt_cache_key\":\"\"}",
            Duplicate(Field::PromptCacheKey),
        ),
        (
            b"{\"stream_options\":{},\"stream_options\":{}}",
            Duplicate(Field::StreamOptions),
        ),
        (
            b"{\"stream_options\":{\"include_usage\":true,\"include_usage\":true}}",
            Duplicate(Field::IncludeUsage),
        ),
        (b"{\"Model\":\"a\"}", Lookalike(Field::Model)),
        (b"{\"model\":\"a\",\"MODEL\":\"b\"}", Lookalike(Field::Model)),
        (b"{\"\\u017ftream\":true}", Lookalike(Field::Stream)),
        (
            "{\"max_to\u{212a}ens\":1}".as_bytes(),
            Lookalike(Field::MaxTokens),
        ),
        (b"{\"model\":5}", WrongType(Field::Model)),
        (b"{\"model\":[\"a\"]}", WrongType(Field::Model)),
        (b"{\"model\":{}}", WrongType(Field::Model)),
        (b"{\"model\":true}", WrongType(Field::Model)),
        (b"{\"stream\":\"true\"}", WrongType(Field::Stream)),
        (b"{\"stream\":1}", WrongType(Field::Stream)),
        (b"{\"stream\":{}}", WrongType(Field::Stream)),
        (b"{\"stream_options\":[]}", WrongType(Field::StreamOptions)),
        (b"{\"stream_options\":true}", WrongType(Field::StreamOptions)),
        (
            b"{\"stream_options\":{\"include_usage\":\"true\"}}",
            WrongType(Field::IncludeUsage),
        ),
        (b"{\"mod\xffel\":\"a\"}", NotText { at: 8 }),
        (b"{\"model\":\"a\xff\"}", NotText { at: 13 }),
        (b"{\"model\":\"\\ud800\"}", NotText { at: 17 }),
        (b"{\"mod\\udc00el\":\"a\"}", NotText { at: 13 }),
        (b"{\"model\\u0000x\":\"a\"}", NotText { at: 14 }),
        (&[b"{\"a\":".as_slice(), &[b'['; 128]].concat(), TooDeep),
    ];
    for (body, error) in cases {
        assert_eq!(
            scan_everywhere(body),
            Err(*error),
            "{}",
            String::from_utf8_lossy(body)
        );
    }
}

#[test]
fn leaves_to_the_provider_what_decides_nothing_here() {
    let cases = [
        r#"{"n":"2","max_tokens":true,"prompt_cache_key":7}"#,
        r#"{"n":-1,"max_tokens":1.5,"prompt_cache_key":null}"#,
        r#"{"n":1e999,"max_tokens":null,"prompt_cache_key":{"n":1}}"#,
        r#"{"n":[2],"max_tokens":{"max_tokens":1},"stream":null,"stream_options":null}"#,
        r#"{"a":{"model":"x","model":"y","Model":"z"},"temperature":1,"temperature":2}"#,
        r#"{"stream_options":{"stream":true,"model":"x","a":{"include_usage":true,"include_usage":1}}}"#,
    ];
    for body in cases {
        let scan = scan_everywhere(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
        let place = scan.place.clone();
        assert_eq!(
            scan,
            Scan {
                place,
                ..Scan::default()
            },
            "{body}"
        );
    }
    let key = format!(r#"{{"prompt_cache_key":"{}","n":3}}"#, "k".repeat(1025));
    let scan = scan(key.as_bytes()).unwrap();
    assert_eq!((scan.prompt_cache_key, scan.n), (None, Some(3)));
}

#[test]
fn bounds_what_it_keeps() {
    let model = |length: usize| format!(r#"{{"model":"{}"}}"#, "m".repeat(length));
    assert!(scan_everywhere(model(MODEL_LIMIT).as_bytes()).is_ok());
    let end = MODEL_LIMIT + 12;
    assert_eq!(
        scan_everywhere(model(MODEL_LIMIT + 1).as_bytes()),
        Err(ScanError::TooLong { at: end })
    );
    let name = |length: usize| format!(r#"{{"{}":1}}"#, "m".repeat(length));
    assert!(scan(name(256).as_bytes()).is_ok());
    assert_eq!(
        scan_everywhere(name(257).as_bytes()),
        Err(ScanError::TooLong { at: 259 })
    );
    let broken = format!(r#"{{"{}\x":1}}"#, "m".repeat(300));
    assert_eq!(
        scan_everywhere(broken.as_bytes()),
        Err(ScanError::Syntax { at: 303 })
    );
    let deep = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let limit = DEPTH_LIMIT as usize - 1;
    assert!(scan(deep(limit).as_bytes()).is_ok());
    assert_eq!(scan(deep(limit + 1).as_bytes()), Err(ScanError::TooDeep));
}

#[test]
fn finds_the_end_of_a_string_wherever_it_falls_in_a_block() {
    for length in 0..200 {
        for text in ["a", "\\\"", "\\\\", "\\n", "\\u00e9", "é"] {
            for pad in 0..8 {
                let text = format!("{}{}", "p".repeat(pad), text.repeat(length));
                let body = format!(r#"{{"input":"{text}","model":"m"}}"#);
                let model = scan(body.as_bytes()).unwrap().model;
                assert_eq!(model.as_deref(), Some("m"), "{text}");
            }
        }
    }
}

/// JSON and nearly JSON: tokens in an order that is often right.
fn jsonish() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\n",
            "true",
            "false",
            "null",
            "0",
            "-1",
            "1.5e+3",
            "01",
            "\"",
            "\\",
            "\"model\":\"a\"",
            "\"mod\\u0065l\"",
            "\"stream\":true",
            "\"a\":",
            "\"\\\\\"",
            "\"\\\"\"",
            "\\u00",
            "\"é\"",
        ])
        .prop_map(|token| token.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

/// Objects that are JSON, with strings long enough for several blocks.
fn object() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[ -~\\\\\"\\\\\"é\n\u{1f600}]{0,200}".prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-z\\\\\"]{0,6}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    (
        prop::collection::btree_map("[a-z\\\\\" ]{1,8}", value, 0..6),
        any::<bool>(),
    )
        .prop_map(|(map, pretty)| {
            if pretty {
                serde_json::to_vec_pretty(&map)
            } else {
                serde_json::to_vec(&map)
            }
            .unwrap()
        })
}

fn valid_for_serde(body: &[u8]) -> bool {
    serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(body).is_ok()
}

/// Refused although it is JSON.
fn by_rule(error: ScanError) -> bool {
    !matches!(
        error,
        ScanError::NotAnObject | ScanError::Syntax { .. } | ScanError::Truncated
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn agrees_with_serde_on_what_is_json(body in prop_oneof![jsonish(), object()]) {
        match scan(&body) {
            Ok(_) => prop_assert!(valid_for_serde(&body)),
            Err(error) => prop_assert!(by_rule(error) || !valid_for_serde(&body), "{error}"),
        }
    }

    #[test]
    fn says_the_same_at_every_cut(
        body in prop_oneof![jsonish(), object()],
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        cuts.sort_by_key(|cut| cut.index(body.len() + 1));
        let mut frames = Vec::new();
        let mut begin = 0;
        for cut in &cuts {
            let end = cut.index(body.len() + 1);
            frames.push(&body[begin..end]);
            begin = end;
        }
        frames.push(&body[begin..]);
        prop_assert_eq!(scan_frames(frames), scan(&body));
    }

    #[test]
    fn a_changed_byte_never_panics(body in object(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = body;
        let at = at.index(body.len());
        body[at] = byte;
        let result = scan(&body);
        prop_assert_eq!(scan_frames(body.chunks(3)), result.clone());
        if result.is_ok() {
            prop_assert!(valid_for_serde(&body));
        }
    }

    #[test]
    fn reads_what_serde_reads(model in ".{0,40}", stream in any::<bool>(), n in any::<u32>(), key in ".{0,40}", filler in object()) {
        let filler: serde_json::Value = serde_json::from_slice(&filler).unwrap();
        let body = serde_json::json!({
            "a": filler, "model": model, "n": n, "prompt_cache_key": key, "stream": stream, "z": filler,
        });
        let body = serde_json::to_vec(&body).unwrap();
        let scan = scan(&body).unwrap();
        prop_assert_eq!(scan.model.as_deref(), Some(model.as_str()));
        prop_assert_eq!(scan.prompt_cache_key.as_deref(), Some(key.as_str()));
        prop_assert_eq!((scan.stream, scan.n), (stream, Some(u64::from(n))));
        let ModelPlace::Replace(range) = scan.place else { panic!("the model is there") };
        prop_assert_eq!(serde_json::from_slice::<String>(&body[range]).unwrap(), model);
    }
}

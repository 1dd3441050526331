//! What must be blanked, and that nothing else is.

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

use super::*;

const KEY: &str = "sk-proj-AbCdEfGh1234567890WxYz";

fn blanked(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    body(&mut bytes, &[KEY.as_bytes()]);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn blanks_each_way_of_showing_a_key() {
    let cases = [
        (format!("key {KEY}."), "key ******************************."),
        (
            format!("{KEY}{KEY}"),
            "************************************************************",
        ),
        (KEY.to_lowercase(), "******************************"),
        // As OpenAI does it.
        (
            "provided: sk-proj-********WxYz. You".into(),
            "provided: ********************. You",
        ),
        (
            "provided: sk-pr***************WxYz.".into(),
            "provided: ************************.",
        ),
        ("sk-proj-AbC...WxYz".into(), "***********...****"),
        ("sk-proj-AbC…WxYz".into(), "***********…****"),
        (r"sk-proj-AbC\u2026WxYz".into(), r"***********\u2026****"),
        ("••••WxYz".into(), "••••****"),
        ("sk-xxxxxxWxYz".into(), "***xxxxxx****"),
        ("****xYz".into(), "*******"),
        ("sk-****".into(), "*******"),
        // Without a mask.
        (
            "the key sk-proj-AbCdEf is wrong".into(),
            "the key ************** is wrong",
        ),
        ("the key …GH1234567890WxYz".into(), "the key …****************"),
        ("API key ending in 'WxYz'".into(), "API key ending in '****'"),
        ("key (last four: WxYz)".into(), "key (last four: ****)"),
    ];
    for (text, expected) in cases {
        assert_eq!(blanked(&text), expected, "{text}");
        assert_eq!(blanked(&text).len(), text.len());
    }
}

#[test]
fn leaves_the_rest_as_it_is() {
    for text in [
        "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
        "Keys begin with sk-proj- or sk-.",
        "wait... yes **bold** ---- #### xxxx",
        "a key ending in abcd",
        "WxYz stands alone",
        "",
    ] {
        assert_eq!(blanked(text), text);
    }
}

#[test]
fn blanks_escaped_spellings() {
    let key = br#"a/b"c\d+e=fghij"#;
    for spelling in [
        r#"a/b\"c\\d+e=fghij"#,
        r#"a\/b\"c\\d+e=fghij"#,
        "a%2Fb%22c%5Cd%2Be%3Dfghij",
        r#"a/b"c\d+e=fghij"#,
    ] {
        let mut text = format!("<{spelling}>").into_bytes();
        assert!(body(&mut text, &[key]));
        assert_eq!(
            String::from_utf8(text).unwrap(),
            format!("<{}>", "*".repeat(spelling.len())),
            "{spelling}"
        );
    }
}

#[test]
fn a_word_is_no_key() {
    let mut text = b"error".to_vec();
    assert!(!body(&mut text, &[b"error", b""]));
    assert_eq!(text, b"error");
}

#[test]
fn blanks_headers() {
    let mut map = HeaderMap::new();
    map.insert("x-echo", HeaderValue::from_str(&format!("Bearer {KEY}")).unwrap());
    map.insert("x-other", HeaderValue::from_static("plain"));
    assert!(headers(&mut map, &[KEY.as_bytes()]));
    assert_eq!(map["x-echo"], format!("Bearer {}", "*".repeat(KEY.len())));
    assert_eq!(map["x-other"], "plain");
    assert!(!headers(&mut map, &[KEY.as_bytes()]));
}

proptest! {
    #[test]
    fn no_key_survives_and_no_other_byte_changes(
        texts in prop::collection::vec("[ -/:-@a-f]{0,20}", 1..6),
        key in "[G-Z0-9]{8,60}",
        other in "[G-Z0-9]{8,60}",
    ) {
        // Upper and lower case differ in the texts, but not for the search.
        let texts: Vec<String> = texts.iter().map(|text| text.replace(['*', '.', '#', '-', '/'], " ")).collect();
        let mut text = texts.join(&key).into_bytes();
        body(&mut text, &[other.as_bytes(), key.as_bytes()]);
        prop_assert_eq!(String::from_utf8(text.clone()).unwrap(), texts.join(&"*".repeat(key.len())));
        prop_assert!(memmem::find(&text, key.as_bytes()).is_none());
    }

    #[test]
    fn never_panics_and_keeps_the_length(text in prop::collection::vec(0_u8.., 0..300), key in prop::collection::vec(0_u8.., 0..40)) {
        let mut bytes = text.clone();
        body(&mut bytes, &[&key]);
        prop_assert_eq!(bytes.len(), text.len());
        prop_assert!(key.len() < SHORTEST || memmem::find(&bytes, &key).is_none() || key.iter().all(|byte| *byte == b'*'));
    }

    #[test]
    fn no_masked_key_survives(key in "[a-z]{3}[G-Z0-9]{20}", shown in (3..10_usize, 0..10_usize), mask in 3..20_usize) {
        let (left, right) = (&key[..shown.0], &key[key.len() - shown.1..]);
        let mut text = format!("({left}{}{right})", "*".repeat(mask)).into_bytes();
        body(&mut text, &[key.as_bytes()]);
        prop_assert!(text[1..text.len() - 1].iter().all(|byte| *byte == b'*'), "{}", String::from_utf8_lossy(&text));
    }
}

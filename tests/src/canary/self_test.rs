//! Plants a leak of each kind and finds each.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::Scan;

const KEY: &str = "sk-proj-Zq7vRk2mXw9~?>LpTb4hJd";

fn found(content: impl AsRef<[u8]>) -> Vec<&'static str> {
    let mut scan = Scan::new([("first", KEY)]);
    scan.look("here", content);
    scan.leaks().iter().map(|leak| leak.form).collect()
}

#[track_caller]
fn assert_found(form: &str, content: impl AsRef<[u8]>) {
    let forms = found(content);
    assert!(forms.contains(&form), "{form} not among {forms:?}");
}

fn joined(bytes: &[u8], each: impl Fn(&u8) -> String, between: &str) -> String {
    bytes.iter().map(each).collect::<Vec<_>>().join(between)
}

#[test]
fn plain_and_cut_short() {
    assert_found("plain", format!("authorization: Bearer {KEY}"));
    assert_found("the random part's first characters", "key Zq7vRk2mXw9~… refused");
    assert_found("reversed", KEY.chars().rev().collect::<String>());
}

#[test]
fn base64_wherever_it_begins() {
    for before in ["", "x", "xy", "xyz", "Bearer "] {
        let text = format!("{before}{KEY}");
        assert_found("base64", STANDARD.encode(&text));
        assert_found("base64", STANDARD.encode(format!("{text} and more")));
    }
}

#[test]
fn url_safe_base64_wherever_it_begins() {
    // Bytes whose base64 has characters that differ between the alphabets.
    let key = "sk-~?>~?>~?>~?>~?>~?>";
    for before in ["", "x", "xy"] {
        let mut scan = Scan::new([("first", key)]);
        scan.look("here", URL_SAFE_NO_PAD.encode(format!("{before}{key}")));
        assert!(
            scan.leaks().iter().any(|leak| leak.form == "URL-safe base64"),
            "{before}: {:?}",
            scan.leaks()
        );
    }
}

#[test]
fn numbers() {
    let bytes = KEY.as_bytes();
    assert_found("hexadecimal", joined(bytes, |byte| format!("{byte:02x}"), ""));
    assert_found("hexadecimal", joined(bytes, |byte| format!("{byte:02X}"), ""));
    assert_found(
        "hexadecimal with \\x",
        joined(bytes, |byte| format!("\\x{byte:02x}"), ""),
    );
    assert_found(
        "percent-encoded",
        joined(bytes, |byte| format!("%{byte:02X}"), ""),
    );
    assert_found("decimal bytes", format!("{bytes:?}"));
    assert_found(
        "decimal bytes without spaces",
        serde_json::to_string(bytes).unwrap(),
    );
    assert_found(
        "decimal bytes in Go's form",
        format!("[{}]", joined(bytes, u8::to_string, " ")),
    );
}

#[test]
fn the_vendors_prefix_is_no_leak() {
    assert_eq!(
        found("keys begin with sk-proj-, such as sk-proj-…"),
        Vec::<&str>::new()
    );
}

#[test]
fn a_leak_is_told_without_the_key() {
    let mut scan = Scan::new([("first", KEY)]);
    scan.look("operator log", format!("got {KEY}"));
    let told = scan.finish().unwrap_err().to_string();
    assert!(
        told.contains("key first as plain in operator log at byte 4"),
        "{told}"
    );
    assert!(!told.contains("Zq7v"), "{told}");
}

#[test]
fn a_scan_of_nothing_shows_nothing() {
    assert!(Scan::new([("first", KEY)]).finish().is_err());
}

#[test]
fn files_are_searched() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("deep")).unwrap();
    std::fs::write(directory.path().join("deep/pod.log"), KEY).unwrap();
    let mut scan = Scan::new([("first", KEY)]);
    scan.look_in(directory.path()).unwrap();
    assert!(scan.leaks()[0].place.ends_with("deep/pod.log"));
}

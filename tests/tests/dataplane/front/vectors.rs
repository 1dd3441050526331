//! What a client may not send.

use crate::dataplane::rig::{CLIENT_KEY, post};

/// Bytes, and the statuses that may answer them. Without any the connection may also end without an answer.
pub(crate) type Vector = (Vec<u8>, &'static [u16]);

pub(crate) fn auth() -> String {
    format!("host: keypool\r\nauthorization: Bearer {CLIENT_KEY}\r\n")
}

/// A request line with good headers.
fn line(line: &str) -> Vec<u8> {
    format!("{line}\r\n{}\r\n", auth()).into_bytes()
}

/// A target of a request that would otherwise be good.
fn target(target: &str) -> Vec<u8> {
    line(&format!("GET {target} HTTP/1.1"))
}

/// Header lines beside good ones, of a request with the body `{}`.
fn headers(headers: &str) -> Vec<u8> {
    let auth = auth();
    format!("POST /v1/chat/completions HTTP/1.1\r\n{auth}{headers}\r\n{{}}").into_bytes()
}

/// A chunked body as it stands.
fn chunked(body: &str) -> Vec<u8> {
    let auth = auth();
    format!("POST /v1/chat/completions HTTP/1.1\r\n{auth}transfer-encoding: chunked\r\n\r\n{body}")
        .into_bytes()
}

fn host(lines: &str) -> Vec<u8> {
    format!("GET /v1/models HTTP/1.1\r\n{lines}authorization: Bearer {CLIENT_KEY}\r\n\r\n").into_bytes()
}

pub(crate) fn targets() -> Vec<Vector> {
    [
        "http://other.example/v1/models",
        "http://keypool/v1/models",
        "https://keypool/v1/models",
        "http://user@keypool/v1/models",
        "//v1/models",
        "//evil.example/v1/models",
        "/v1//models",
        "/v1/../v1/models",
        "/v1/./models",
        "/v1/models/..",
        "/../v1/models",
        "/v1/%2e%2e/v1/models",
        "/v1/%2E/models",
        "/v1/.%2e/v1/models",
        "/v1%2fmodels",
        "/v1%2Fmodels",
        "/v1%5cmodels",
        "/v1\\models",
        "/v1/models#x",
        "/v1/models?a=b#c",
        "/v1/models%00",
        "/v1/models%0d%0ax:%20y",
        "/v1/models%7f",
        "/v1/models%zz",
        "/v1/models%2",
        "/v1/%252e%252e/models",
        "/v1/models/",
        "/v1/models?a=\\",
        "/v1/models?a=\u{7f}",
        "/v1/m\u{fc}dels",
        "v1/models",
        "*",
        "?x",
        "keypool:80",
        "/v1/models /v1/models",
    ]
    .into_iter()
    .map(|text| (target(text), &[400][..]))
    .chain([(target(&format!("/v1/{}", "x".repeat(5_000))), &[431, 414][..])])
    .chain([(
        target(&format!("/v1/models?{}", "x".repeat(5_000))),
        &[431, 414][..],
    )])
    .chain([(b"GET /v1/mod\0els HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), &[][..])])
    .chain([(
        b"GET /v1/mod\x01els HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
        &[][..],
    )])
    .chain([(b"GET /v1/m\xffdels HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), &[][..])])
    .collect()
}

pub(crate) fn lines() -> Vec<Vector> {
    vec![
        (line("CONNECT keypool:80 HTTP/1.1"), &[400, 405]),
        (line("CONNECT /v1/models HTTP/1.1"), &[400, 405]),
        (line("TRACE /v1/models HTTP/1.1"), &[405]),
        (line("get /v1/models HTTP/1.1"), &[405]),
        (line("BREW /v1/models HTTP/1.1"), &[405]),
        (line("DELETE /v1/models HTTP/1.1"), &[405]),
        (line("PUT /v1/chat/completions HTTP/1.1"), &[405]),
        (line("GET /v1/chat/completions HTTP/1.1"), &[405]),
        (line("HEAD /v1/chat/completions HTTP/1.1"), &[405]),
        (line("OPTIONS * HTTP/1.1"), &[400]),
        (line("GET /v1/models HTTP/1.0"), &[400]),
        (line("GET /v1/models HTTP/0.9"), &[]),
        (line("GET /v1/models HTTP/1.2"), &[]),
        (line("GET /v1/models HTTP/2.0"), &[]),
        (line("GET /v1/models HTTP/1.1 x"), &[]),
        (line("GET /v1/models http/1.1"), &[]),
        (line("GET\t/v1/models HTTP/1.1"), &[]),
        (line("GET  /v1/models HTTP/1.1"), &[]),
        (line("G\0T /v1/models HTTP/1.1"), &[]),
        (line("GET /v1/models"), &[]),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
            &[],
        ),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".repeat(9), &[]),
        (
            format!("GET /v1/models HTTP/1.1\n{}\r\n", auth()).into_bytes(),
            &[400],
        ),
        (
            format!("GET /v1/models HTTP/1.1\r\n{}\n", auth()).into_bytes(),
            &[400],
        ),
        (
            format!("GET /v1/models HTTP/1.1\r\nx: y\n{}\r\n", auth()).into_bytes(),
            &[400],
        ),
        (
            format!("GET /v1/models HTTP/1.1\rhost: a\r\n{}\r\n", auth()).into_bytes(),
            &[],
        ),
    ]
}

pub(crate) fn hosts() -> Vec<Vector> {
    let of = |value: &str| (host(&format!("host: {value}\r\n")), &[400][..]);
    let mut vectors: Vec<Vector> = [
        "", "a/b", "x/#@y", "user@a", "a b", "a:", "a:x", "a:99999", "a:80:80", "[::1", "[x]", "a,b", "a?b",
        "a\\b", "k\u{fc}",
    ]
    .into_iter()
    .map(of)
    .collect();
    vectors.push((host(""), &[400]));
    vectors.push((host("host: a\r\nhost: a\r\n"), &[400]));
    vectors.push((host("host: a\r\nHOST: b\r\n"), &[400]));
    vectors
}

pub(crate) fn framings() -> Vec<Vector> {
    let refused = [
        "content-length: 2\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 2\r\n",
        "content-length: 2\r\nTransfer-Encoding : chunked\r\n",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked;q=1\r\n",
        "transfer-encoding: \x0bchunked\r\n",
        "transfer-encoding: \"chunked\"\r\n",
        "transfer-encoding:\r\n",
        "transfer-encoding: identity\r\n",
        "content-length: 2\r\ncontent-length: 3\r\n",
        "content-length: 2, 3\r\n",
        "content-length: +2\r\n",
        "content-length: -2\r\n",
        "content-length: 2 2\r\n",
        "content-length: 0x2\r\n",
        "content-length: 2e0\r\n",
        "content-length: 2.0\r\n",
        "content-length:\r\n",
        "content-length: 99999999999999999999999999\r\n",
        "content-length : 2\r\n",
        " content-length: 2\r\n",
        "x: a\r\n b\r\ncontent-length: 2\r\n",
        "x: a\0b\r\ncontent-length: 2\r\n",
        "x: a\rb\r\ncontent-length: 2\r\n",
        "x y: a\r\ncontent-length: 2\r\n",
        ": a\r\ncontent-length: 2\r\n",
        "no colon\r\ncontent-length: 2\r\n",
        "x(y): a\r\ncontent-length: 2\r\n",
        "expect: nonsense\r\ncontent-length: 2\r\n",
    ];
    let mut vectors: Vec<Vector> = refused
        .into_iter()
        .map(|lines| (headers(lines), &[][..]))
        .collect();
    for coding in ["gzip", "br", "zstd", "deflate", "identity, gzip", "x"] {
        let lines = format!("content-encoding: {coding}\r\ncontent-length: 2\r\n");
        vectors.push((headers(&lines), &[415]));
    }
    vectors.push((headers("content-length: 33554433\r\n"), &[413]));
    vectors.push((headers(&format!("x: {}\r\n", "x".repeat(17_000))), &[431]));
    vectors.push((headers(&format!("x: {}\r\n", "x".repeat(40_000))), &[431]));
    vectors.push((headers(&format!("{}\r\n", "x".repeat(40_000))), &[400, 431]));
    vectors.push((headers(&"x: y\r\n".repeat(120)), &[400, 431]));
    for body in [
        "zz\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}XX0\r\n\r\n",
        "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "2;\x01=\n\r\n{}\r\n0\r\n\r\n",
    ] {
        vectors.push((chunked(body), &[400]));
    }
    vectors
}

pub(crate) fn bodies() -> Vec<Vector> {
    let of = |body: &str| (post(body).into_bytes(), &[400][..]);
    let deep = format!("{{\"model\":\"gpt\",\"x\":{}", "[".repeat(200_000));
    let mut vectors: Vec<Vector> = [
        "",
        " ",
        "[]",
        "\"gpt\"",
        "null",
        "{",
        "{\"model\":\"gpt\"",
        "{\"model\":\"gpt\"} x",
        "{\"model\":\"gpt\"}{}",
        "{\"model\":\"gpt\",}",
        "{\"model\" \"gpt\"}",
        "{'model':'gpt'}",
        "{\"model\":1}",
        "{\"model\":[\"gpt\"]}",
        "{\"model\":\"g\npt\"}",
        "{\"model\":\"\\ud800\"}",
        "{\"model\":\"\\x\"}",
        "{\"model\":\"gpt\",\"stream\":\"yes\"}",
        "{\"model\":\"gpt\" /* x */}",
        "\u{feff}{\"model\":\"gpt\"}",
        "{\"model\":\"gpt\",\"x\":01}",
        "{\"model\":\"gpt\",\"x\":tru}",
        &deep,
        // A name that stands twice, however it is written.
        r#"{"model":"gpt","model":"gpt"}"#,
        r#"{"model":"gpt","mod\u0065l":"other"}"#,
        r#"{"\u006d\u006f\u0064\u0065\u006c":"other","model":"gpt"}"#,
        r#"{"model":"gpt","stream":false,"str\u0065am":true}"#,
        r#"{"stream":true,"model":"gpt","\u0073tream":true}"#,
    ]
    .into_iter()
    .map(of)
    .collect();
    vectors.push((
        post("{\"model\":\"x\"}")
            .replace("\"x\"", "\"\u{0}\"")
            .into_bytes(),
        &[400],
    ));
    let raw = [post("{\"model\":\"???\"}").into_bytes()].concat();
    let invalid = raw
        .iter()
        .map(|byte| if *byte == b'?' { 0xff } else { *byte })
        .collect();
    vectors.push((invalid, &[400]));
    vectors
}

pub(crate) fn strangers() -> Vec<Vector> {
    let get =
        |headers: &str| format!("GET /v1/models HTTP/1.1\r\nhost: keypool\r\n{headers}\r\n").into_bytes();
    vec![
        (get(""), &[401]),
        (get("authorization: Bearer\r\n"), &[401]),
        (get("authorization: Bearer x\r\n"), &[401]),
        (get("authorization: Basic a3A6a3A=\r\n"), &[401]),
        (get(&format!("authorization: Bearer {CLIENT_KEY}x\r\n")), &[401]),
        (
            get(&format!("authorization: Bearer {}\r\n", &CLIENT_KEY[1..])),
            &[401],
        ),
        (
            get(&format!(
                "authorization: Bearer {CLIENT_KEY}, Bearer {CLIENT_KEY}\r\n"
            )),
            &[401],
        ),
        (
            get(&format!(
                "authorization: Bearer x\r\nauthorization: Bearer {CLIENT_KEY}\r\n"
            )),
            &[401],
        ),
        (
            get(&format!("x-forwarded-authorization: Bearer {CLIENT_KEY}\r\n")),
            &[401],
        ),
        (target("/v1/files"), &[404]),
        (target("/v1/responses"), &[404]),
        (target("/metrics"), &[404]),
        (target("/g/other/v1/models"), &[404]),
        (target("/g/chat/../other/v1/models"), &[400]),
    ]
}

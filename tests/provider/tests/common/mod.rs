//! A plain client that shows bytes as they come: what a real one hides is what these tests look at.
#![allow(dead_code, unreachable_pub)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use keypool_fake_provider::FakeProvider;

/// How the other end stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Fin,
    Reset,
    Silence,
}

pub fn chat(key: &str, stream: bool) -> String {
    let body =
        format!(r#"{{"model":"gpt-4o","stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#);
    post("/v1/chat/completions", key, &body)
}

pub fn post(path: &str, key: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: fake\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub fn get(path: &str, key: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: fake\r\nauthorization: Bearer {key}\r\n\r\n")
}

pub fn connect(fake: &FakeProvider) -> TcpStream {
    let tcp = TcpStream::connect(fake.addresses().http.expect("an HTTP listener")).expect("connect");
    tcp.set_read_timeout(Some(Duration::from_secs(10)))
        .expect("timeout");
    tcp
}

/// Sends and reads until the end, or until nothing comes for `patience`.
pub fn exchange_for(fake: &FakeProvider, request: &str, patience: Duration) -> (String, End) {
    let mut tcp = connect(fake);
    tcp.set_read_timeout(Some(patience)).expect("timeout");
    tcp.write_all(request.as_bytes()).expect("write");
    read_end(&mut tcp)
}

pub fn read_end(tcp: &mut TcpStream) -> (String, End) {
    let mut all = Vec::new();
    let mut buf = [0; 65536];
    let end = loop {
        match tcp.read(&mut buf) {
            Ok(0) => break End::Fin,
            Ok(n) => all.extend_from_slice(&buf[..n]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => break End::Reset,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break End::Silence,
            Err(e) => panic!("{e}"),
        }
    };
    (String::from_utf8_lossy(&all).into_owned(), end)
}

/// One exchange with `connection: close`: head and body, chunks joined.
pub fn ask(fake: &FakeProvider, request: &str) -> (String, String) {
    let request = request.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
    let (text, end) = exchange_for(fake, &request, Duration::from_secs(10));
    assert_eq!(end, End::Fin, "{text}");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let body = if head.contains("transfer-encoding: chunked") {
        dechunk(body)
    } else {
        body.to_owned()
    };
    (head.to_owned(), body)
}

pub fn status(head: &str) -> u16 {
    head.split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .expect("a status")
}

pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value)
}

/// The data of a chunked body, as far as it goes.
pub fn dechunk(mut text: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size, 16) else {
            break;
        };
        let data = &rest[..size.min(rest.len())];
        out.push_str(data);
        text = rest.get(size + 2..).unwrap_or_default();
    }
    out
}

/// Waits for a condition with a limit.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(std::time::Instant::now() < end, "not within 10 s: {what}");
        std::thread::yield_now();
    }
}

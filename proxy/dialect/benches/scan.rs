//! The body scanner: prose, a body full of escaped quotes, JSON in JSON, escaped Chinese, tool schemas, and an array of numbers, in
//! frames of 16 KiB as they come from a socket.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use keypool_dialect::scan::{Scan, ScanError, Scanner};

const KIB: usize = 1024;

fn chat(text: &str, size: usize) -> Vec<u8> {
    let content = text.repeat(size / text.len() + 1);
    format!(r#"{{"model":"gpt-4.1","messages":[{{"role":"user","content":"{content}"}}],"stream":true}}"#)
        .into()
}

fn embedding(size: usize) -> Vec<u8> {
    format!(
        r#"{{"model":"text-embedding-3-small","input":[{}1]}}"#,
        "40212,318,".repeat(size / 10)
    )
    .into()
}

fn tools(size: usize) -> Vec<u8> {
    let tool = r#"{"type":"function","function":{"name":"get_weather","description":"Weather of a place","parameters":{"type":"object","properties":{"city":{"type":"string"},"unit":{"type":"string","enum":["c","f"]}},"required":["city"],"additionalProperties":false},"strict":true}},"#;
    format!(
        r#"{{"model":"gpt-4.1","tools":[{}{{}}]}}"#,
        tool.repeat(size / tool.len())
    )
    .into()
}

fn read(body: &[u8]) -> Result<Scan, ScanError> {
    let mut scanner = Scanner::new();
    for frame in body.chunks(16 * KIB) {
        scanner.push(frame)?;
    }
    scanner.finish()
}

/// Makes a body of about a size.
type Body = fn(usize) -> Vec<u8>;

fn scan(criterion: &mut Criterion) {
    let kinds: [(&str, Body); 6] = [
        ("prose", |size| {
            chat(
                "The quick brown fox jumps over the lazy dog, and then it sleeps. ",
                size,
            )
        }),
        ("quotes", |size| chat(r#"say \"yes\" or \"no\", "#, size)),
        ("nested", |size| chat(r#"{\"a\":\"b\\nc \\\"d\\\"\"},\n"#, size)),
        ("unicode", |size| chat(r"\u4f60\u597d\uff0c", size)),
        ("tools", tools),
        ("numbers", embedding),
    ];
    let mut group = criterion.benchmark_group("scan");
    for (kind, body) in kinds {
        for size in [KIB, 16 * KIB, 128 * KIB, KIB * KIB] {
            let body = body(size);
            assert!(read(&body).is_ok(), "the bench measures a valid body");
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_with_input(BenchmarkId::new(kind, size), &body, |bencher, body| {
                bencher.iter(|| read(black_box(body)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);

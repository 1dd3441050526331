//! The stream machine: one stream of 50 small events, whole chunks as a socket delivers them.

use std::hint::black_box;
use std::time::SystemTime;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keypool_contract::ProviderType;
use keypool_dialect::stream::{End, StreamMachine};

fn events() -> Vec<String> {
    let event = |delta: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
             \"model\":\"gpt-4.1-2025-04-14\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_1\",\
             \"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{reason}}}],\
             \"usage\":null}}\n\n"
        )
    };
    let mut events = vec![event("{\"role\":\"assistant\",\"content\":\"\"}", "null")];
    events.extend((0..47).map(|_| event("{\"content\":\" word\"}", "null")));
    events.push(event("{}", "\"stop\""));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn follow(chunks: &[String]) -> End {
    let mut machine = StreamMachine::new(ProviderType::OpenAI, None);
    for chunk in chunks {
        machine.feed(chunk.as_bytes(), SystemTime::UNIX_EPOCH);
    }
    machine.finish()
}

fn stream(criterion: &mut Criterion) {
    let single = events();
    let together = vec![single.concat()];
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Elements(single.len() as u64));
    group.bench_function("one event a chunk", |bencher| {
        bencher.iter(|| follow(black_box(&single)))
    });
    group.bench_function("all in one chunk", |bencher| {
        bencher.iter(|| follow(black_box(&together)))
    });
    group.finish();
}

criterion_group!(benches, stream);
criterion_main!(benches);

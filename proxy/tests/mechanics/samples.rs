//! Bodies and answers that the tests share.

use super::upstream::{SSE, Step, Upstream, answer, chunk, say};

pub(super) const JSON: &str = r#"{"id":"1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
pub(super) const BODY: &str =
    r#"{"messages": [{"role":"user","content":"\"model\":"}], "model" : "gpt", "x":1}"#;
pub(super) const STREAM: &str = r#"{"model":"gpt","stream":true,"messages":[]}"#;
pub(super) const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
pub(super) const HELLO: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"},\"finish_reason\":null}]}\n\n";
pub(super) const STOP: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
pub(super) const DONE: &str = "data: [DONE]\n\n";
pub(super) const RATE: &str =
    r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;

pub(super) fn url(upstream: &Upstream) -> String {
    format!("http://{}/v1", upstream.address)
}

pub(super) fn ok() -> Vec<Step> {
    vec![answer("200 OK", "", JSON)]
}

pub(super) fn events(texts: &[&str]) -> Vec<Step> {
    let chunks = texts.iter().map(|text| chunk(text));
    [say(SSE)]
        .into_iter()
        .chain(chunks)
        .chain([say("0\r\n\r\n")])
        .collect()
}

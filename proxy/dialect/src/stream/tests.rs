//! Streams as providers send them.

use keypool_contract::ProviderType::{OpenAI, OpenAICompatible};
use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::*;

const ROLE: &str = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}"#;
const WORD: &str = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hel"},"logprobs":null,"finish_reason":null}],"usage":null}"#;
const STOP: &str = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}"#;
const USED: &str = r#"{"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":3}}}"#;
const DONE: &str = "[DONE]";

fn stream(events: &[&str]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn fed(text: &str, choices: Option<u64>, size: usize) -> StreamMachine {
    let mut machine = StreamMachine::new(OpenAI, choices);
    for chunk in text.as_bytes().chunks(size.max(1)) {
        machine.feed(chunk, SystemTime::UNIX_EPOCH);
    }
    machine
}

#[test]
fn a_whole_stream_event_by_event() {
    let mut machine = StreamMachine::new(OpenAI, None);
    let mut phase = |text: &str| machine.feed(text.as_bytes(), SystemTime::UNIX_EPOCH);
    assert_eq!(phase(": keep-alive\n\n"), Phase::Preamble);
    assert_eq!(phase(&stream(&[ROLE])), Phase::Preamble);
    assert_eq!(phase(&stream(&[WORD])), Phase::Content);
    assert_eq!(phase(&stream(&[WORD, STOP])), Phase::Content);
    assert_eq!(phase(&stream(&[USED])), Phase::Content);
    assert_eq!(phase(&stream(&[DONE])), Phase::Ended);
    assert_eq!(
        machine.usage(),
        Some(Usage {
            input: 9,
            output: 12,
            cached: 3
        })
    );
    assert_eq!(machine.finish(), End::Complete);
    // The comment is no event.
    assert_eq!((machine.events(), machine.has_content()), (6, true));
    assert_eq!(machine.position(), Position::Boundary);
}

#[test]
fn says_the_same_at_every_cut() {
    let text = stream(&[ROLE, WORD, STOP, USED, DONE]);
    for size in 1..text.len() {
        let machine = fed(&text, None, size);
        assert_eq!(
            (machine.phase(), machine.finish(), machine.events()),
            (Phase::Ended, End::Complete, 5)
        );
        assert_eq!(
            machine.usage(),
            Some(Usage {
                input: 9,
                output: 12,
                cached: 3
            })
        );
    }
}

#[test]
fn knows_what_a_client_waits_for() {
    let delta =
        |delta: &str| format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
    let preamble = [
        delta(r#"{"role":"assistant"}"#),
        delta(r#"{"role":"assistant","content":null,"tool_calls":[]}"#),
        delta("{}"),
        delta("null"),
        r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#.to_owned(),
        USED.to_owned(),
    ];
    for event in &preamble {
        assert_eq!(
            fed(&stream(&[event]), None, 4096).phase(),
            Phase::Preamble,
            "{event}"
        );
    }
    let content = [
        delta(r#"{"content":"a"}"#),
        delta(r#"{"role":"assistant","content":" "}"#),
        delta(r#"{"reasoning_content":"hm"}"#),
        delta(r#"{"refusal":"no"}"#),
        delta(r#"{"tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":""}}]}"#),
        STOP.to_owned(),
        r#"{"type":"unknown"}"#.to_owned(),
        r#"{"choices":"odd"}"#.to_owned(),
        "not json".to_owned(),
        String::new(),
    ];
    for event in &content {
        assert_eq!(
            fed(&stream(&[event]), None, 4096).phase(),
            Phase::Content,
            "{event}"
        );
    }
}

#[test]
fn an_end_without_a_marker_is_a_cut() {
    let cases: &[(&[&str], Option<u64>, End)] = &[
        (&[ROLE, WORD, STOP, DONE], None, End::Complete),
        (&[ROLE, WORD, STOP], None, End::Complete),
        (&[ROLE, WORD, STOP, USED], None, End::Complete),
        (&[ROLE, WORD, DONE], None, End::Complete),
        (&[ROLE, WORD], None, End::Cut),
        (&[ROLE], None, End::Cut),
        (&[], None, End::Cut),
        (&[ROLE, WORD, STOP], Some(2), End::Cut),
        (&[ROLE, WORD, STOP, STOP], Some(2), End::Cut),
        (
            &[
                WORD,
                STOP,
                r#"{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}"#,
            ],
            Some(2),
            End::Complete,
        ),
        (
            &[
                WORD,
                r#"{"choices":[{"index":0,"finish_reason":"stop"},{"index":1,"finish_reason":"stop"}]}"#,
            ],
            Some(2),
            End::Complete,
        ),
        (&[WORD, STOP], Some(0), End::Complete),
        (&[WORD, STOP], Some(u64::MAX), End::Cut),
        (
            &[WORD, r#"{"choices":[{"index":999999,"finish_reason":"stop"}]}"#],
            None,
            End::Cut,
        ),
    ];
    for (events, choices, end) in cases {
        assert_eq!(
            fed(&stream(events), *choices, 4096).finish(),
            *end,
            "{events:?} {choices:?}"
        );
    }
    let whole = stream(&[ROLE, WORD, STOP, DONE]);
    let stopped = whole.find("data: [DONE]").unwrap();
    for cut in 0..whole.len() {
        let expected = if cut >= stopped { End::Complete } else { End::Cut };
        assert_eq!(fed(&whole[..cut], None, 4096).finish(), expected, "cut at {cut}");
    }
    // An end marker counts without its empty line.
    assert_eq!(fed("data: [DONE]\n", None, 4096).finish(), End::Complete);
    assert_eq!(fed("data: [DONE]", None, 4096).finish(), End::Complete);
    assert_eq!(fed("data: [DON", None, 4096).finish(), End::Cut);
}

#[test]
fn an_error_before_content_is_what_it_says() {
    let error = |body: &str| {
        let mut machine = StreamMachine::new(OpenAICompatible, None);
        let phase = machine.feed(
            format!("data: {ROLE}\n\n{body}\n\n").as_bytes(),
            SystemTime::UNIX_EPOCH,
        );
        assert_eq!((phase, machine.has_content()), (Phase::Failed, false), "{body}");
        let error = machine.error().unwrap().clone();
        assert_eq!(machine.finish(), End::Failed(error.clone()));
        (error.class, error.code)
    };
    let cases = [
        (
            r#"data: {"error":{"message":"x","type":"tokens","code":"rate_limit_exceeded"}}"#,
            Class::Rate,
            "rate_limit_exceeded",
        ),
        (
            r#"data: {"error":{"message":"x","code":"insufficient_quota"}}"#,
            Class::Credit,
            "insufficient_quota",
        ),
        (
            r#"data: {"error":{"message":"x","code":"invalid_api_key"}}"#,
            Class::AuthDead,
            "invalid_api_key",
        ),
        (
            r#"data: {"error":{"message":"x","type":"BadRequestError","code":400}}"#,
            Class::Client,
            "http_400",
        ),
        (
            r#"data: {"error":{"message":"x","code":503}}"#,
            Class::Overload,
            "http_503",
        ),
        (r#"data: {"error": "boom"}"#, Class::Server, "http_500"),
        (
            "event: error\ndata: {\"message\":\"boom\"}",
            Class::Server,
            "http_500",
        ),
        ("event: error\ndata: boom", Class::Server, "error_event"),
        (
            r#"data: {"object":"error","message":"boom","code":400}"#,
            Class::Client,
            "http_400",
        ),
    ];
    for (body, class, code) in cases {
        assert_eq!(error(body), (class, code), "{body}");
    }
}

#[test]
fn an_error_after_content_is_the_streams() {
    let text = |error: &str| stream(&[ROLE, WORD, error, DONE]);
    let machine = fed(
        &text(r#"{"error":{"message":"x","code":"invalid_api_key"}}"#),
        None,
        4096,
    );
    assert_eq!((machine.phase(), machine.has_content()), (Phase::Failed, true));
    let error = machine.error().unwrap();
    assert_eq!(
        (error.class, error.scope, error.code),
        (Class::Stream, Scope::ProviderModel, "invalid_api_key")
    );
    let machine = fed(
        &text(r#"{"error":{"message":"x","code":"content_filter"}}"#),
        None,
        4096,
    );
    assert_eq!(machine.error().unwrap().class, Class::Client);
}

#[test]
fn words_in_content_mean_nothing() {
    let content = r#"{"choices":[{"index":0,"delta":{"content":"\"error\":{\"code\":1},\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":1} [DONE]"},"finish_reason":null}]}"#;
    let logprobs = r#"{"choices":[{"index":0,"delta":{"content":"error"},"logprobs":{"content":[{"token":"error"},{"token":"usage"},{"token":"finish_reason"}]},"finish_reason":null}],"error":null}"#;
    for events in [[content, content], [logprobs, logprobs]] {
        let machine = fed(&stream(&events), None, 4096);
        assert_eq!(
            (machine.phase(), machine.finish(), machine.usage()),
            (Phase::Content, End::Cut, None)
        );
    }
}

#[test]
fn the_last_usage_wins_wherever_it_stands() {
    let running = |tokens: u64| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"a"}},"finish_reason":null}}],"usage":{{"prompt_tokens":5,"completion_tokens":{tokens}}}}}"#
        )
    };
    let text = stream(&[&running(1), &running(2), &running(3), STOP, DONE]);
    assert_eq!(fed(&text, None, 7).usage().map(|usage| usage.output), Some(3));
    let groq = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":2,"completion_tokens":4}}}"#;
    assert_eq!(
        fed(&stream(&[WORD, groq, DONE]), None, 9).usage(),
        Some(Usage {
            input: 2,
            output: 4,
            cached: 0
        })
    );
}

#[test]
fn an_oversized_event_commits() {
    let image = "A".repeat(crate::sse::EVENT_LIMIT + 1);
    let mut machine = StreamMachine::new(OpenAI, None);
    for chunk in format!("data: {{\"image\":\"{image}\"}}\n\n")
        .as_bytes()
        .chunks(65_536)
    {
        machine.feed(chunk, SystemTime::UNIX_EPOCH);
    }
    assert_eq!(machine.phase(), Phase::Content);
}

proptest! {
    #[test]
    fn never_panics_and_is_the_same_at_every_cut(
        events in prop::collection::vec(prop::sample::select(vec![ROLE, WORD, STOP, USED, DONE, "{", r#"{"error":{"code":500}}"#, ""]), 0..8),
        noise in prop::collection::vec(any::<u8>(), 0..20),
        at in any::<prop::sample::Index>(),
        size in 1..200_usize,
    ) {
        let mut bytes = stream(&events).into_bytes();
        let at = at.index(bytes.len() + 1);
        bytes.splice(at..at, noise);
        let feed = |size: usize| {
            let mut machine = StreamMachine::new(OpenAI, None);
            for chunk in bytes.chunks(size) {
                machine.feed(chunk, SystemTime::UNIX_EPOCH);
            }
            (machine.phase(), machine.finish(), machine.usage(), machine.events(), machine.position())
        };
        prop_assert_eq!(feed(size), feed(bytes.len().max(1)));
    }
}

//! Chat completions, whole and as a stream.

use std::fmt::Write as _;

use bytes::Bytes;

use super::{CREATED, quoted, word};
use crate::request::Ask;
use crate::scenario::{Ending, Stream};

/// Tokens as the provider would charge them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
}

/// One chat completion to be written.
#[derive(Debug, Clone)]
pub(crate) struct Chat {
    print: u64,
    model: String,
    words: u64,
    choices: u64,
    include_usage: bool,
    pub(crate) usage: Usage,
}

const DEFAULT_WORDS: u64 = 48;

impl Chat {
    pub(crate) fn new(print: u64, ask: &Ask, body_len: usize, words: Option<u64>) -> Self {
        let words = words.unwrap_or(DEFAULT_WORDS);
        let choices = ask.choices();
        Self {
            print,
            model: quoted(ask.model.as_deref().unwrap_or("gpt-4o-mini")),
            words,
            choices,
            include_usage: ask.wants_usage(),
            usage: Usage {
                prompt: (body_len as u64).div_ceil(4),
                completion: words * choices,
            },
        }
    }

    fn content(&self, choice: u64) -> String {
        let mut text = String::with_capacity(8 * self.words as usize);
        for n in 0..self.words {
            let _ = write!(
                text,
                "{}{}",
                if n == 0 { "" } else { " " },
                word(self.print ^ choice, n)
            );
        }
        text
    }

    fn usage_json(&self) -> String {
        let Usage { prompt, completion } = self.usage;
        format!(
            r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#,
            prompt + completion
        )
    }

    /// The whole answer.
    pub(crate) fn json(&self) -> String {
        let (print, model) = (self.print, &self.model);
        let mut out = String::with_capacity(1024);
        let _ = write!(
            out,
            r#"{{"id":"chatcmpl-{print:016x}","object":"chat.completion","created":{CREATED},"model":{model},"choices":["#
        );
        for index in 0..self.choices {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(
                out,
                r#"{comma}{{"index":{index},"message":{{"role":"assistant","content":"{}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}"#,
                self.content(index)
            );
        }
        let _ = write!(
            out,
            r#"],"usage":{},"service_tier":"default","system_fingerprint":"fp_{:010x}"}}"#,
            self.usage_json(),
            print >> 24
        );
        out
    }

    /// The answer as events, each with its blank line.
    pub(crate) fn events(&self, shape: &Stream) -> Vec<Bytes> {
        let (mut out, mut ends) = (String::with_capacity(16 * 1024), Vec::new());
        let end = if shape.crlf { "\r\n\r\n" } else { "\n\n" };
        let mut emit = |data: std::fmt::Arguments<'_>| {
            if shape.comments {
                out.push_str(if shape.crlf {
                    ": keep-alive\r\n\r\n"
                } else {
                    ": keep-alive\n\n"
                });
            }
            let _ = write!(out, "data: {data}{end}");
            ends.push(out.len());
        };
        let head = self.chunk_head();
        let tail = if self.include_usage {
            r#","usage":null}"#
        } else {
            "}"
        };
        for index in 0..self.choices {
            emit(format_args!(
                r#"{head}"choices":[{{"index":{index},"delta":{{"role":"assistant","content":"","refusal":null}},"logprobs":null,"finish_reason":null}}]{tail}"#
            ));
        }
        for n in 0..self.words {
            let space = if n == 0 { "" } else { " " };
            for index in 0..self.choices {
                let word = word(self.print ^ index, n);
                emit(format_args!(
                    r#"{head}"choices":[{{"index":{index},"delta":{{"content":"{space}{word}"}},"logprobs":null,"finish_reason":null}}]{tail}"#
                ));
            }
        }
        if shape.ending != Ending::Truncated {
            for index in 0..self.choices {
                emit(format_args!(
                    r#"{head}"choices":[{{"index":{index},"delta":{{}},"logprobs":null,"finish_reason":"stop"}}]{tail}"#
                ));
            }
            if self.include_usage {
                emit(format_args!(
                    r#"{head}"choices":[],"usage":{}}}"#,
                    self.usage_json()
                ));
            }
        }
        if shape.ending == Ending::Done {
            emit(format_args!("[DONE]"));
        }
        split(out, &ends)
    }

    fn chunk_head(&self) -> String {
        format!(
            r#"{{"id":"chatcmpl-{:016x}","object":"chat.completion.chunk","created":{CREATED},"model":{},"service_tier":"default","system_fingerprint":"fp_{:010x}","#,
            self.print,
            self.model,
            self.print >> 24
        )
    }
}

fn split(text: String, ends: &[usize]) -> Vec<Bytes> {
    let all = Bytes::from(text);
    let mut start = 0;
    ends.iter()
        .map(|end| all.slice(std::mem::replace(&mut start, *end)..*end))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::StreamOptions;

    fn ask(usage: bool) -> Ask {
        let stream_options = Some(StreamOptions {
            include_usage: Some(usage),
        });
        Ask {
            model: Some("m\"x".to_owned()),
            stream_options,
            n: Some(2),
            ..Ask::default()
        }
    }

    fn payloads(events: &[Bytes]) -> Vec<serde_json::Value> {
        let text = |event: &Bytes| String::from_utf8(event.to_vec()).unwrap();
        events
            .iter()
            .map(|event| text(event).trim_end().trim_start_matches("data: ").to_owned())
            .filter(|data| data != "[DONE]")
            .map(|data| serde_json::from_str(&data).unwrap())
            .collect()
    }

    #[test]
    fn stream_and_whole_answer_say_the_same() {
        let chat = Chat::new(42, &ask(true), 400, Some(5));
        let whole: serde_json::Value = serde_json::from_str(&chat.json()).unwrap();
        let events = payloads(&chat.events(&Stream::default()));
        for index in 0..2 {
            let streamed: String = events
                .iter()
                .filter_map(|event| event["choices"].as_array())
                .flatten()
                .filter(|choice| choice["index"] == index)
                .filter_map(|choice| choice["delta"]["content"].as_str())
                .collect();
            assert_eq!(whole["choices"][index]["message"]["content"], streamed);
        }
        assert_eq!(whole["model"], "m\"x");
        assert_eq!(events.last().unwrap()["usage"], whole["usage"]);
        assert_eq!(whole["usage"]["total_tokens"], 110);
    }

    #[test]
    fn usage_comes_only_when_asked_and_then_null_before() {
        let with = payloads(&Chat::new(1, &ask(true), 4, Some(1)).events(&Stream::default()));
        let without = payloads(&Chat::new(1, &ask(false), 4, Some(1)).events(&Stream::default()));
        assert!(with[0].as_object().unwrap().contains_key("usage"));
        assert!(
            without
                .iter()
                .all(|event| !event.as_object().unwrap().contains_key("usage"))
        );
        assert_eq!(with.len(), without.len() + 1);
    }

    #[test]
    fn endings_differ_in_their_last_events() {
        let count = |ending| {
            Chat::new(1, &Ask::default(), 4, Some(3))
                .events(&Stream {
                    ending,
                    ..Stream::default()
                })
                .len()
        };
        assert_eq!(
            (
                count(Ending::Done),
                count(Ending::NoDone),
                count(Ending::Truncated)
            ),
            (6, 5, 4)
        );
    }

    #[test]
    fn the_usual_answer_has_about_nine_hundred_bytes() {
        let len = Chat::new(9, &Ask::default(), 400, None).json().len();
        assert!((850..1000).contains(&len), "{len}");
    }
}

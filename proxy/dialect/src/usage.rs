//! Tokens that an answer says were used.

use memchr::memmem;
use serde::Deserialize;

/// Token counts of one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, the cached ones included.
    pub input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// Those of `input` that came out of the provider's cache.
    pub cached: u64,
}

/// The usage object as it is sent: OpenAI's names for chat and embeddings, and for responses.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    // No aliases: some servers send both names.
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input_tokens_details: Option<Details>,
    /// DeepSeek's name for cached tokens.
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

impl WireUsage {
    /// `None` where it counts nothing.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let (input, output) = (
            self.prompt_tokens.or(self.input_tokens),
            self.completion_tokens.or(self.output_tokens),
        );
        if input.is_none() && output.is_none() {
            return None;
        }
        let details = self
            .prompt_tokens_details
            .as_ref()
            .or(self.input_tokens_details.as_ref());
        let cached = details
            .and_then(|details| details.cached_tokens)
            .or(self.prompt_cache_hit_tokens);
        Some(Usage {
            input: input.unwrap_or(0),
            output: output.unwrap_or(0),
            cached: cached.unwrap_or(0),
        })
    }
}

const NAME: &[u8] = br#""usage""#;
/// A usage object is a few hundred bytes.
const KEPT: usize = 4 * 1024;

/// Finds the usage in a JSON answer while it passes by in chunks; keeps a few KiB of it at most.
///
/// It looks for the name and reads the object after it: inside a string the name cannot stand, because its quotes would
/// be escaped. The last object that counts tokens wins.
#[derive(Debug, Default)]
pub struct UsageTap {
    /// The last bytes, in which a name may have begun.
    tail: Vec<u8>,
    /// What follows the last name.
    after_name: Option<Vec<u8>>,
    found: Option<Usage>,
}

impl UsageTap {
    /// Looks at the next chunk.
    pub fn feed(&mut self, chunk: &[u8]) {
        const MOST: usize = NAME.len() - 1;
        if let Some(kept) = &mut self.after_name {
            let room = KEPT - kept.len();
            kept.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        }
        let seam = [&self.tail, chunk.get(..MOST).unwrap_or(chunk)].concat();
        if let Some(at) = memmem::find(&seam, NAME) {
            // Both parts are shorter than the name, so this one lies across.
            self.name(chunk.get(at + NAME.len() - self.tail.len()..));
        }
        for at in memmem::find_iter(chunk, NAME) {
            self.name(chunk.get(at + NAME.len()..));
        }
        let tail = if chunk.len() < MOST { &seam } else { chunk };
        self.tail = tail
            .get(tail.len().saturating_sub(MOST)..)
            .unwrap_or_default()
            .to_vec();
    }

    /// The last usage that was seen.
    pub fn finish(mut self) -> Option<Usage> {
        self.settle();
        self.found
    }

    fn name(&mut self, after: Option<&[u8]>) {
        self.settle();
        let after = after.unwrap_or_default();
        self.after_name = Some(after.get(..KEPT).unwrap_or(after).to_vec());
    }

    /// Reads the object after the last name, if it is one and whole.
    fn settle(&mut self) {
        let Some(kept) = self.after_name.take() else {
            return;
        };
        let Some(value) = kept.trim_ascii_start().strip_prefix(b":") else {
            return;
        };
        let mut values = serde_json::Deserializer::from_slice(value).into_iter::<WireUsage>();
        if let Some(Ok(usage)) = values.next() {
            self.found = usage.usage().or(self.found);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    fn tapped(body: &str, size: usize) -> Option<Usage> {
        let mut tap = UsageTap::default();
        body.as_bytes()
            .chunks(size.max(1))
            .for_each(|chunk| tap.feed(chunk));
        tap.finish()
    }

    #[test]
    fn finds_the_usage_at_every_cut() {
        let some = |input, output, cached| {
            Some(Usage {
                input,
                output,
                cached,
            })
        };
        let cases = [
            (
                r#"{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":9}"}}],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0}}}"#,
                some(12, 5, 8),
            ),
            (
                r#"{"object":"list","data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}"#,
                some(8, 0, 0),
            ),
            (
                r#"{"usage" : { "prompt_tokens" : 8 , "completion_tokens" : null }, "more": 1}"#,
                some(8, 0, 0),
            ),
            (
                r#"{"usage":{"input_tokens":3,"output_tokens":4,"input_tokens_details":{"cached_tokens":1}}}"#,
                some(3, 4, 1),
            ),
            (
                r#"{"usage":{"prompt_tokens":3,"input_tokens":3,"completion_tokens":4,"output_tokens":4}}"#,
                some(3, 4, 0),
            ),
            (
                r#"{"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_cache_hit_tokens":4}}"#,
                some(5, 1, 4),
            ),
            (
                r#"{"usage":{"prompt_tokens":1},"x":{"name":"usage"},"usage":null}"#,
                some(1, 0, 0),
            ),
            (
                r#"{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2}}"#,
                some(2, 0, 0),
            ),
            (r#"{"tool":{"name":"usage","usage":{"a":1}}}"#, None),
            (r#"{"usage":{"prompt_tokens":"many"}}"#, None),
            (r#"{"usage":{"prompt_tokens":1"#, None),
            (r#"{"usage":null}"#, None),
            ("", None),
        ];
        for (body, expected) in cases {
            for size in 1..=body.len() {
                assert_eq!(tapped(body, size), expected, "{size}: {body}");
            }
        }
    }

    proptest! {
        #[test]
        fn never_mistakes_content_for_usage(content in ".{0,60}", input in any::<u32>(), size in 1..40_usize) {
            let content = format!(r#"{content}"usage":{{"prompt_tokens":7}}"#);
            let body = serde_json::json!({"choices": [{"message": {"content": content}}], "usage": {"prompt_tokens": input}});
            let expected = Some(Usage { input: input.into(), ..Usage::default() });
            prop_assert_eq!(tapped(&body.to_string(), size), expected);
        }

        #[test]
        fn keeps_little(chunks in prop::collection::vec("(\"usage\":)?[{}a-z\":,0-9]{0,3000}", 0..8)) {
            let mut tap = UsageTap::default();
            for chunk in chunks {
                tap.feed(chunk.as_bytes());
                let kept = tap.after_name.as_ref().map_or(0, Vec::len);
                prop_assert_eq!((kept <= KEPT, tap.tail.len() < NAME.len()), (true, true));
            }
        }
    }
}

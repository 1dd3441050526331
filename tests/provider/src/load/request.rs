//! The request that is sent again and again.

use super::LoadOptions;

/// What a prompt is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyKind {
    /// Words.
    #[default]
    Prose,
    /// Words in escaped quotes: what makes a scanner stop at every other byte.
    Quotes,
}

impl BodyKind {
    fn pattern(self) -> &'static str {
        match self {
            Self::Prose => "The quick brown fox jumps over the lazy dog and looks back once more. ",
            Self::Quotes => r#"\"key\": \"value\", \"next\": [\"one\", \"two\"], "#,
        }
    }

    /// A JSON string's inside of exactly `len` bytes.
    fn text(self, len: usize) -> String {
        let pattern = self.pattern();
        let mut text = pattern.repeat(len / pattern.len());
        // The last, incomplete repetition would cut an escape in two.
        text.extend(std::iter::repeat_n('x', len - text.len()));
        text
    }
}

/// Head and body.
pub(super) fn render(options: &LoadOptions) -> Vec<u8> {
    let body = body(options);
    let host = options.host.clone().unwrap_or_else(|| options.target.to_string());
    let accept = if options.stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    format!(
        "POST {} HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\ncontent-type: application/json\r\n\
         authorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        options.path,
        options.key,
        body.len()
    )
    .into_bytes()
}

/// `model` first and `stream` last, as the official Python client orders them.
fn body(options: &LoadOptions) -> String {
    let head = format!(
        r#"{{"model":"{}","messages":[{{"role":"user","content":""#,
        options.model
    );
    let tail = if options.stream {
        r#""}],"stream":true}"#
    } else {
        r#""}]}"#
    };
    let text = options
        .body_kind
        .text(options.body_bytes.saturating_sub(head.len() + tail.len()));
    format!("{head}{text}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_of_the_size_asked_for() {
        for kind in [BodyKind::Prose, BodyKind::Quotes] {
            for (bytes, stream) in [(400, false), (401, true), (16 * 1024, false), (1 << 20, true)] {
                let options = LoadOptions {
                    body_kind: kind,
                    body_bytes: bytes,
                    stream,
                    ..LoadOptions::to(([127, 0, 0, 1], 1).into())
                };
                let body = body(&options);
                assert_eq!(body.len(), bytes);
                let value: serde_json::Value = serde_json::from_str(&body).unwrap();
                assert_eq!(value["stream"].as_bool().unwrap_or(false), stream);
            }
        }
    }
}

//! Which call of the dialect is this? An allow-list: what is not recognised is never forwarded.
//!
//! The path is compared byte by byte and not normalised: a percent sign, a dot segment, a double slash or a backslash
//! in it matches nothing. A model's name is the one free part, and it never goes upstream in a path
//! (`GET /v1/models/…` is answered by the proxy).

use http::Method;

/// A call that Keypool knows how to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`; the id as it stands in the path, percent-decoded.
    Model(String),
}

/// Why a request is not one of the operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// No operation has this path (404 `unsupported_path`).
    #[error("no operation has this path")]
    Path,
    /// The path is known, the method is not the one it takes (405).
    #[error("this path takes {allow} only")]
    Method {
        /// The value for an `Allow` header.
        allow: &'static str,
    },
}

impl Operation {
    /// Recognises an operation by method and path. `path` is the path alone, without query and without a `/g/<group>`
    /// prefix, and begins with `/`.
    pub fn recognise(method: &Method, path: &str) -> Result<Self, Unsupported> {
        let rest = path.strip_prefix("/v1/").ok_or(Unsupported::Path)?;
        let (operation, takes) = match rest {
            "chat/completions" => (Self::ChatCompletions, Method::POST),
            "embeddings" => (Self::Embeddings, Method::POST),
            "models" => (Self::Models, Method::GET),
            _ => {
                let id = rest
                    .strip_prefix("models/")
                    .and_then(model_id)
                    .ok_or(Unsupported::Path)?;
                (Self::Model(id), Method::GET)
            }
        };
        if *method != takes {
            let allow = if takes == Method::POST { "POST" } else { "GET" };
            return Err(Unsupported::Method { allow });
        }
        Ok(operation)
    }

    /// The name in metrics and logs; a closed set.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::Model(_) => "model",
        }
    }

    /// What is appended to a provider's base path; `None` for operations that the proxy answers itself.
    pub fn upstream_suffix(&self) -> Option<&'static str> {
        match self {
            Self::ChatCompletions => Some("/chat/completions"),
            Self::Embeddings => Some("/embeddings"),
            Self::Models | Self::Model(_) => None,
        }
    }

    /// May an answer to this operation be a stream?
    pub fn can_stream(&self) -> bool {
        matches!(self, Self::ChatCompletions)
    }
}

/// A model's name as it stands in a path: one segment or several (`meta-llama/Llama-4`), percent-decoded once.
fn model_id(raw: &str) -> Option<String> {
    let mut id = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            byte => byte,
        };
        id.push(byte);
    }
    let id = String::from_utf8(id).ok()?;
    let fits = !id.is_empty() && id.len() <= crate::scan::MODEL_LIMIT && !id.chars().any(char::is_control);
    fits.then_some(id)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_operations_and_no_other() {
        use Operation::{ChatCompletions, Embeddings, Model, Models};
        let model = |id: &str| Ok(Model(id.to_owned()));
        let method = |allow| Err(Unsupported::Method { allow });
        let path = Err(Unsupported::Path);
        let cases: &[(&str, &str, Result<Operation, Unsupported>)] = &[
            ("POST", "/v1/chat/completions", Ok(ChatCompletions)),
            ("POST", "/v1/embeddings", Ok(Embeddings)),
            ("GET", "/v1/models", Ok(Models)),
            ("GET", "/v1/models/gpt-4.1", model("gpt-4.1")),
            (
                "GET",
                "/v1/models/meta-llama/Llama-4",
                model("meta-llama/Llama-4"),
            ),
            (
                "GET",
                "/v1/models/meta-llama%2FLlama-4",
                model("meta-llama/Llama-4"),
            ),
            ("GET", "/v1/models/caf%C3%A9", model("café")),
            ("GET", "/v1/chat/completions", method("POST")),
            ("PUT", "/v1/embeddings", method("POST")),
            ("DELETE", "/v1/models/gpt-4.1", method("GET")),
            ("POST", "/v1/models", method("GET")),
            ("GET", "/v1/models/", path.clone()),
            ("GET", "/v1/models/a%00b", path.clone()),
            ("GET", "/v1/models/a%0ab", path.clone()),
            ("GET", "/v1/models/%ff", path.clone()),
            ("GET", "/v1/models/%4", path.clone()),
            ("GET", "/v1/models/%zz", path.clone()),
            ("POST", "/v1/chat/completions/", path.clone()),
            ("POST", "/v1//chat/completions", path.clone()),
            ("POST", "//v1/chat/completions", path.clone()),
            ("POST", "/v1/./chat/completions", path.clone()),
            ("POST", "/v1/x/../chat/completions", path.clone()),
            ("POST", "/v1/chat%2fcompletions", path.clone()),
            ("POST", "/V1/chat/completions", path.clone()),
            ("POST", "/chat/completions", path.clone()),
            ("POST", "/v1/completions", path.clone()),
            ("POST", "/v1/responses", path.clone()),
            ("POST", "/v1", path.clone()),
            ("GET", "/", path.clone()),
            ("GET", "", path.clone()),
            ("POST", "v1/chat/completions", path.clone()),
            ("POST", "/v1/chat/completions?x", path),
        ];
        for (name, path, expected) in cases {
            let method: Method = name.parse().unwrap();
            assert_eq!(Operation::recognise(&method, path), *expected, "{name} {path}");
        }
    }
}

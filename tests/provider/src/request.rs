//! What the provider understands of a request: the operation, the key, and the few JSON fields that shape an answer.

use http::{HeaderMap, Method, header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// What is asked for. Any prefix before the known end of the path is accepted, so one provider can be several base URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Chat,
    Embeddings,
    ListModels,
    GetModel(String),
    Unknown,
}

impl Operation {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        if *method == Method::POST {
            if path.ends_with("/chat/completions") {
                return Self::Chat;
            }
            if path.ends_with("/embeddings") {
                return Self::Embeddings;
            }
        } else if *method == Method::GET {
            if path.ends_with("/models") {
                return Self::ListModels;
            }
            if let Some((_, id)) = path.split_once("/models/")
                && !id.is_empty()
            {
                return Self::GetModel(id.to_owned());
            }
        }
        Self::Unknown
    }

    pub(crate) fn lists_models(&self) -> bool {
        matches!(self, Self::ListModels | Self::GetModel(_))
    }
}

/// The bearer token.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|t| !t.is_empty())
}

/// The fields of a body that shape the answer; everything else is ignored, as the vendor ignores what it does not know.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ask {
    pub(crate) model: Option<String>,
    pub(crate) stream: Option<bool>,
    pub(crate) stream_options: Option<StreamOptions>,
    pub(crate) n: Option<u64>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) max_completion_tokens: Option<u64>,
    pub(crate) messages: Option<IgnoredAny>,
    pub(crate) input: Option<Value>,
    pub(crate) dimensions: Option<u64>,
    pub(crate) encoding_format: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StreamOptions {
    pub(crate) include_usage: Option<bool>,
}

impl Ask {
    pub(crate) fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub(crate) fn wants_usage(&self) -> bool {
        self.stream_options
            .as_ref()
            .and_then(|options| options.include_usage)
            .unwrap_or(false)
    }

    pub(crate) fn most_tokens(&self) -> Option<u64> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    pub(crate) fn choices(&self) -> u64 {
        self.n.unwrap_or(1).clamp(1, 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_by_the_end_of_the_path() {
        for (method, path, expected) in [
            (Method::POST, "/v1/chat/completions", Operation::Chat),
            (Method::POST, "/b/v1/chat/completions", Operation::Chat),
            (Method::GET, "/v1/chat/completions", Operation::Unknown),
            (Method::POST, "/v1/embeddings", Operation::Embeddings),
            (Method::GET, "/v1/models", Operation::ListModels),
            (
                Method::GET,
                "/v1/models/ft:gpt/x",
                Operation::GetModel("ft:gpt/x".to_owned()),
            ),
            (Method::POST, "/v1/responses", Operation::Unknown),
        ] {
            assert_eq!(Operation::of(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn the_bearer_scheme_is_read_in_any_case() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.insert(header::AUTHORIZATION, "bearer sk-1".parse().unwrap());
        assert_eq!(bearer(&headers), Some("sk-1"));
        headers.insert(header::AUTHORIZATION, "Basic sk-1".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}

//! Reads the few fields of a request body that Keypool needs, without parsing the rest.

use std::ops::Range;

/// The longest model name, in bytes as written.
pub const MODEL_LIMIT: usize = 512;
/// The deepest nesting.
pub const DEPTH_LIMIT: u32 = 128;

/// What the top level of a request body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// `model`; `None` where it is absent or null.
    pub model: Option<String>,
    /// Where a model goes.
    pub place: ModelPlace,
    /// `stream`; absent or null is false.
    pub stream: bool,
    /// `stream_options.include_usage`; absent or null is false.
    pub include_usage: bool,
    /// `max_tokens`, where it is a whole number.
    pub max_tokens: Option<u64>,
    /// `max_completion_tokens`, where it is a whole number.
    pub max_completion_tokens: Option<u64>,
    /// `n`, where it is a whole number.
    pub n: Option<u64>,
    /// `prompt_cache_key`, where it is a string.
    pub prompt_cache_key: Option<String>,
}

/// Where in the body a model is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelPlace {
    /// In place of these bytes: the value with its quotes, or `null`.
    Replace(Range<usize>),
    /// As a new first member, after the opening brace.
    Insert {
        /// The offset after the opening brace.
        at: usize,
        /// The object has other members: a comma follows.
        comma: bool,
    },
}

impl Default for ModelPlace {
    fn default() -> Self {
        Self::Insert { at: 1, comma: false }
    }
}

/// A field that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// `model`
    Model,
    /// `stream`
    Stream,
    /// `stream_options`
    StreamOptions,
    /// `stream_options.include_usage`
    IncludeUsage,
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
    /// `n`
    N,
    /// `prompt_cache_key`
    PromptCacheKey,
}

/// Why a body is refused with 400; `duplicate_field` for [`ScanError::Duplicate`], otherwise `invalid_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The body is empty or its first byte begins no object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// Not JSON.
    #[error("the body is not valid JSON at byte {at}")]
    Syntax {
        /// Offset of the first byte that cannot be.
        at: usize,
    },
    /// Ends before the object does.
    #[error("the body ends inside the JSON object")]
    Truncated,
    /// Nested deeper than [`DEPTH_LIMIT`].
    #[error("the body is nested deeper than {DEPTH_LIMIT} levels")]
    TooDeep,
    /// A field that we read stands twice.
    #[error("the field {} stands twice", .0.name())]
    Duplicate(Field),
    /// A name that some servers read as one of our fields and others do not.
    #[error("a name differs from {} only by case", .0.name())]
    Lookalike(Field),
    /// A field that we read has a value of the wrong type.
    #[error("{} must be {}", .0.name(), .0.wants())]
    WrongType(Field),
    /// A name or a value that we read is longer than any real one.
    #[error("a name or value is too long at byte {at}")]
    TooLong {
        /// Offset of its end.
        at: usize,
    },
    /// A name or a value that we read is no text: not UTF-8, or half a surrogate pair.
    #[error("a name or value is not valid text before byte {at}")]
    NotText {
        /// Offset of its end.
        at: usize,
    },
}

impl Field {
    /// The name as clients write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::IncludeUsage => "stream_options.include_usage",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::N => "n",
            Self::PromptCacheKey => "prompt_cache_key",
        }
    }

    /// What its value must be.
    pub fn wants(self) -> &'static str {
        match self {
            Self::Model | Self::PromptCacheKey => "a string",
            Self::Stream | Self::IncludeUsage => "true or false",
            Self::StreamOptions => "an object",
            Self::MaxTokens | Self::MaxCompletionTokens | Self::N => "a number",
        }
    }
}

impl ScanError {
    /// The field to name in the answer's `param`.
    pub fn field(&self) -> Option<Field> {
        match self {
            Self::Duplicate(field) | Self::Lookalike(field) | Self::WrongType(field) => Some(*field),
            _ => None,
        }
    }
}

/// Reads a body frame by frame, as it arrives.
#[derive(Debug, Default)]
pub struct Scanner {
    consumed: usize,
}

impl Scanner {
    /// A scanner before the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next frame. After an error the body is refused; the scanner is not to be used again.
    pub fn push(&mut self, frame: &[u8]) -> Result<(), ScanError> {
        self.consumed += frame.len();
        Ok(())
    }

    /// The body is whole.
    pub fn finish(self) -> Result<Scan, ScanError> {
        Ok(Scan::default())
    }
}

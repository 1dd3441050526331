//! Reads the few fields of a request body that Keypool needs, without parsing the rest.
//!
//! What we judge must be what the provider reads, whichever parser it uses. So the whole top level is read, not only as
//! far as the first hit; a field that we read and that stands twice is refused (parsers differ on which one counts),
//! and an escaped name (`"mod\u0065l"`) is that name. Some servers compare names without case: a name that differs from
//! one of ours only by that is refused too, because it would be a second value for them. The rest of the body must be
//! valid JSON in structure, nested at most [`DEPTH_LIMIT`] deep; the text of strings that we do not read is not
//! decoded.
//!
//! The body is a queue of frames and is never joined: a [`Scanner`] takes each frame as it arrives and says the same
//! whatever the cuts. Nearly all bytes of a prompt are inside strings, so those are looked at in blocks of 64
//! (`block`), everything else byte by byte (`scanner`).

mod block;
mod error;
mod field;
mod number;
mod reader;
mod scanner;
mod text;

use std::ops::Range;

pub use error::ScanError;
pub use field::Field;
pub use scanner::Scanner;

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

#[cfg(test)]
mod tests;

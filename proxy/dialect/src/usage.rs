//! Tokens that an answer says were used.

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

/// Finds the usage in a JSON answer while it passes by in chunks; holds no more than a few KiB of it.
#[derive(Debug, Default)]
pub struct UsageTap {}

impl UsageTap {
    /// Looks at the next chunk.
    pub fn feed(&mut self, _chunk: &[u8]) {}

    /// The last usage that was seen.
    pub fn finish(self) -> Option<Usage> {
        None
    }
}

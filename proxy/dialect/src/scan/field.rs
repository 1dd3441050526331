//! The fields that we read, and how a name is recognised as one.

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

/// The fields of the top level.
const TOP: [Field; 7] = [
    Field::Model,
    Field::Stream,
    Field::StreamOptions,
    Field::MaxTokens,
    Field::MaxCompletionTokens,
    Field::N,
    Field::PromptCacheKey,
];

/// What a decoded name is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// One of our fields.
    Exact(Field),
    /// One of our fields to a server that compares without case.
    Lookalike(Field),
    /// Nothing of ours.
    Other,
}

impl Field {
    /// A name at the top level.
    pub(super) fn top(name: &str) -> Name {
        TOP.into_iter()
            .find_map(|field| field.matched(field.name(), name))
            .unwrap_or(Name::Other)
    }

    /// A name inside `stream_options`.
    pub(super) fn option(name: &str) -> Name {
        Self::IncludeUsage
            .matched("include_usage", name)
            .unwrap_or(Name::Other)
    }

    /// Does Keypool act on it, so that a value of the wrong type must not pass? Some servers read `"true"` as true. The
    /// others are estimates, and their type is the provider's to judge.
    pub(super) fn decides(self) -> bool {
        matches!(
            self,
            Self::Model | Self::Stream | Self::StreamOptions | Self::IncludeUsage
        )
    }

    /// This field's place in a set of fields.
    pub(super) fn bit(self) -> u8 {
        match self {
            Self::Model => 1,
            Self::Stream => 2,
            Self::StreamOptions => 4,
            Self::IncludeUsage => 8,
            Self::MaxTokens => 16,
            Self::MaxCompletionTokens => 32,
            Self::N => 64,
            Self::PromptCacheKey => 128,
        }
    }

    fn matched(self, own: &str, name: &str) -> Option<Name> {
        if name == own {
            return Some(Name::Exact(self));
        }
        // The longest folding to one ASCII letter has three bytes.
        let possible = name.len() >= own.len() && name.len() <= own.len() * 3;
        (possible && name.chars().map(folded).eq(own.chars())).then_some(Name::Lookalike(self))
    }
}

/// A letter without its case, as Unicode's simple folding has it: two letters outside ASCII fold into it.
fn folded(letter: char) -> char {
    match letter {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        _ => letter.to_ascii_lowercase(),
    }
}

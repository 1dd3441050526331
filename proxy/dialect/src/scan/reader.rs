//! What is read on the way: names are recognised, values of our fields kept and decoded.

use std::borrow::Cow;

use super::field::Name;
use super::number;
use super::{Field, MODEL_LIMIT, ModelPlace, Scan, ScanError};

/// The longest name at the top level, in bytes as written. Ours are at most 126 with every letter escaped.
const NAME_LIMIT: usize = 256;
/// The longest `prompt_cache_key` that is read; a longer one is the provider's to judge.
const CACHE_KEY_LIMIT: usize = 1024;
/// The longest number that is read.
const NUMBER_LIMIT: usize = 64;

/// Whose names are being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The top level's.
    Top,
    /// Those of `stream_options`.
    Options,
}

/// A value that is no container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    /// A string.
    Text,
    /// A number.
    Number,
    /// A word.
    Word(Word),
}

/// A word of JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Word {
    True,
    False,
    #[default]
    Null,
}

/// The fields as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The field whose value comes or is being read; none for a value that does not matter.
    field: Option<Field>,
    /// The fields seen so far, by [`Field::bit`].
    seen: u8,
    /// Where the value of `field` began.
    began: usize,
    /// The bytes of the name or value that is being read, as written, without quotes.
    raw: Vec<u8>,
    /// It is longer than any that is read, and `raw` is not all of it. Said only at its end, so that the result does not
    /// depend on the frames.
    too_long: bool,
    scan: Scan,
}

impl Word {
    /// The letters after the first.
    pub(super) fn rest(self) -> &'static [u8] {
        match self {
            Self::True => b"rue",
            Self::False => b"alse",
            Self::Null => b"ull",
        }
    }
}

impl Reader {
    /// The body begins: `at` is the offset after its brace.
    pub(super) fn body(&mut self, at: usize) {
        self.scan.place = ModelPlace::Insert { at, comma: false };
    }

    /// A name begins.
    pub(super) fn name_begins(&mut self) {
        if let ModelPlace::Insert { comma, .. } = &mut self.scan.place {
            *comma = true;
        }
        self.begins();
    }

    /// More of a name that is read.
    pub(super) fn name_goes(&mut self, inside: &[u8]) {
        self.goes(inside, NAME_LIMIT);
    }

    /// A name that is read is whole: is it one of ours?
    pub(super) fn name_ends(&mut self, level: Level, end: usize) -> Result<(), ScanError> {
        if self.too_long {
            return Err(ScanError::TooLong { at: end });
        }
        let name = decoded(&self.raw, end)?;
        // Some parsers end a name at its first NUL.
        if name.contains('\0') {
            return Err(ScanError::NotText { at: end });
        }
        let name = match level {
            Level::Top => Field::top(&name),
            Level::Options => Field::option(&name),
        };
        match name {
            Name::Other => Ok(()),
            Name::Lookalike(field) => Err(ScanError::Lookalike(field)),
            Name::Exact(field) if self.seen & field.bit() != 0 => Err(ScanError::Duplicate(field)),
            Name::Exact(field) => {
                self.seen |= field.bit();
                self.field = Some(field);
                Ok(())
            }
        }
    }

    /// The value after a name begins with this byte. Gives back whether it is the object of `stream_options`.
    pub(super) fn value_begins(&mut self, byte: u8, here: usize) -> Result<bool, ScanError> {
        let Some(field) = self.field else { return Ok(false) };
        self.began = here;
        self.begins();
        let fits = byte == b'n'
            || match field {
                Field::Model | Field::PromptCacheKey => byte == b'"',
                Field::Stream | Field::IncludeUsage => matches!(byte, b't' | b'f'),
                Field::StreamOptions => byte == b'{',
                Field::MaxTokens | Field::MaxCompletionTokens | Field::N => {
                    matches!(byte, b'-' | b'0'..=b'9')
                }
            };
        if !fits {
            self.field = None;
            if field.decides() {
                return Err(ScanError::WrongType(field));
            }
        }
        Ok(field == Field::StreamOptions && byte == b'{')
    }

    /// More of a scalar.
    pub(super) fn value_goes(&mut self, inside: &[u8]) {
        let limit = match self.field {
            None => return,
            Some(Field::Model) => MODEL_LIMIT,
            Some(Field::PromptCacheKey) => CACHE_KEY_LIMIT,
            Some(_) => NUMBER_LIMIT,
        };
        self.goes(inside, limit);
    }

    /// A scalar is whole; `end` is the offset after it.
    pub(super) fn value_ends(&mut self, value: Scalar, end: usize) -> Result<(), ScanError> {
        let Some(field) = self.field.take() else {
            return Ok(());
        };
        if self.too_long {
            return if field == Field::Model {
                Err(ScanError::TooLong { at: end })
            } else {
                Ok(())
            };
        }
        match (field, value) {
            (Field::Model, _) => {
                self.scan.place = ModelPlace::Replace(self.began..end);
                if value == Scalar::Text {
                    self.scan.model = Some(decoded(&self.raw, end)?.into_owned());
                }
            }
            (_, Scalar::Word(Word::Null)) => {}
            (Field::Stream, _) => self.scan.stream = value == Scalar::Word(Word::True),
            (Field::IncludeUsage, _) => self.scan.include_usage = value == Scalar::Word(Word::True),
            (Field::MaxTokens, _) => self.scan.max_tokens = number::count(&self.raw),
            (Field::MaxCompletionTokens, _) => self.scan.max_completion_tokens = number::count(&self.raw),
            (Field::N, _) => self.scan.n = number::count(&self.raw),
            (Field::PromptCacheKey, _) => {
                self.scan.prompt_cache_key = Some(decoded(&self.raw, end)?.into_owned());
            }
            (Field::StreamOptions, _) => {}
        }
        Ok(())
    }

    fn begins(&mut self) {
        self.raw.clear();
        self.too_long = false;
    }

    fn goes(&mut self, inside: &[u8], limit: usize) {
        if self.raw.len() + inside.len() > limit {
            self.too_long = true;
        } else if !self.too_long {
            self.raw.extend_from_slice(inside);
        }
    }

    /// A container begins as a value: what is in it is not the field's value.
    pub(super) fn container_begins(&mut self) {
        self.field = None;
    }

    /// The body is whole.
    pub(super) fn finish(self) -> Scan {
        self.scan
    }
}

/// The text of a string as written between its quotes. The escapes are well-formed; what can still be wrong is UTF-8
/// and halves of surrogate pairs.
fn decoded(raw: &[u8], end: usize) -> Result<Cow<'_, str>, ScanError> {
    if !raw.contains(&b'\\') {
        return std::str::from_utf8(raw)
            .map(Cow::Borrowed)
            .map_err(|_| ScanError::NotText { at: end });
    }
    serde_json::from_slice(&[b"\"", raw, b"\""].concat())
        .map(Cow::Owned)
        .map_err(|_| ScanError::NotText { at: end })
}

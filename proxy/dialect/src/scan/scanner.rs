//! The structure of a body, byte by byte outside strings.

use super::number::Number;
use super::reader::{Level, Reader, Scalar, Word};
use super::text::{Step, Text};
use super::{DEPTH_LIMIT, Scan, ScanError};

/// What may come next. One byte, read and written for nearly every byte outside strings: what else is known about a
/// name or value that has begun stands beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// The opening brace.
    #[default]
    Start,
    /// A name or the closing brace.
    NameOrEnd,
    /// A name.
    Name,
    /// More of a name.
    InName,
    /// The colon.
    Colon,
    /// A value.
    Value,
    /// A value or the closing bracket.
    ValueOrEnd,
    /// More of a string.
    InString,
    /// More of a number.
    InNumber,
    /// The rest of a word.
    InWord,
    /// A comma or the end of what is open.
    AfterValue,
    /// White space only.
    End,
}

/// Reads a body frame by frame, as it arrives.
#[derive(Debug, Default)]
pub struct Scanner {
    at: At,
    /// Where in a name or string the bytes stopped.
    text: Text,
    /// What of a number has been read.
    number: Number,
    /// The word that is being read, and its letters that are still to come.
    word: (Word, &'static [u8]),
    /// Length of the frames before the current one.
    base: usize,
    /// One bit per open level, the innermost lowest: 1 for an object.
    levels: u128,
    depth: u32,
    /// The second level is `stream_options`.
    in_options: bool,
    reader: Reader,
}

impl Scanner {
    /// A scanner before the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next frame. After an error the body is refused; the scanner is not to be used again.
    pub fn push(&mut self, frame: &[u8]) -> Result<(), ScanError> {
        let mut rest = frame;
        while let Some((&byte, after)) = rest.split_first() {
            let here = self.base + (frame.len() - rest.len());
            rest = match self.at {
                At::InName => self.name(rest, here)?,
                At::InString => self.string(rest, here)?,
                At::InNumber => self.number(rest, here)?,
                At::InWord => {
                    self.at = self.word(byte, here)?;
                    after
                }
                At::Value if byte.is_ascii_digit() && !self.in_object() => match integers(rest) {
                    0 => {
                        self.at = self.value(byte, here)?;
                        after
                    }
                    length => rest.get(length..).unwrap_or_default(),
                },
                _ => {
                    if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                        self.at = self.structure(byte, here)?;
                    }
                    after
                }
            };
        }
        self.base += frame.len();
        Ok(())
    }

    /// The body is whole.
    pub fn finish(self) -> Result<Scan, ScanError> {
        match self.at {
            At::End => Ok(self.reader.finish()),
            At::Start => Err(ScanError::NotAnObject),
            _ => Err(ScanError::Truncated),
        }
    }

    /// One byte between names and values.
    fn structure(&mut self, byte: u8, here: usize) -> Result<At, ScanError> {
        match (self.at, byte) {
            (At::Start, b'{') => {
                self.reader.body(here + 1);
                self.open(true)
            }
            (At::Start, _) => Err(ScanError::NotAnObject),
            (At::NameOrEnd | At::Name, b'"') => {
                self.reader.name_begins();
                self.text = Text::Plain;
                Ok(At::InName)
            }
            (At::Colon, b':') => Ok(At::Value),
            (At::NameOrEnd, b'}') | (At::ValueOrEnd, b']') => Ok(self.close()),
            (At::Value | At::ValueOrEnd, _) => self.value(byte, here),
            (At::AfterValue, b',') => Ok(if self.in_object() { At::Name } else { At::Value }),
            (At::AfterValue, b'}') if self.in_object() => Ok(self.close()),
            (At::AfterValue, b']') if !self.in_object() => Ok(self.close()),
            _ => Err(ScanError::Syntax { at: here }),
        }
    }

    /// The first byte of a value.
    fn value(&mut self, byte: u8, here: usize) -> Result<At, ScanError> {
        let is_options = self.reader.value_begins(byte, here)?;
        match byte {
            b'"' => {
                self.text = Text::Plain;
                Ok(At::InString)
            }
            b'{' | b'[' => {
                self.reader.container_begins();
                self.in_options |= is_options;
                self.open(byte == b'{')
            }
            b't' | b'f' | b'n' => {
                let word = match byte {
                    b't' => Word::True,
                    b'f' => Word::False,
                    _ => Word::Null,
                };
                self.word = (word, word.rest());
                Ok(At::InWord)
            }
            _ => {
                self.number = Number::begin(byte).ok_or(ScanError::Syntax { at: here })?;
                self.reader.value_goes(&[byte]);
                Ok(At::InNumber)
            }
        }
    }

    fn open(&mut self, object: bool) -> Result<At, ScanError> {
        if self.depth == DEPTH_LIMIT {
            return Err(ScanError::TooDeep);
        }
        self.depth += 1;
        self.levels = self.levels << 1 | u128::from(object);
        Ok(if object { At::NameOrEnd } else { At::ValueOrEnd })
    }

    fn close(&mut self) -> At {
        self.levels >>= 1;
        self.depth -= 1;
        self.in_options &= self.depth > 1;
        if self.depth == 0 { At::End } else { At::AfterValue }
    }

    fn in_object(&self) -> bool {
        self.levels & 1 == 1
    }

    /// The level whose names are read, if this is one.
    fn level(&self) -> Option<Level> {
        match self.depth {
            1 => Some(Level::Top),
            2 if self.in_options => Some(Level::Options),
            _ => None,
        }
    }

    /// More of a name; gives back what follows it.
    fn name<'a>(&mut self, rest: &'a [u8], here: usize) -> Result<&'a [u8], ScanError> {
        let (inside, after) = self.split(rest, here)?;
        let end = here + inside.len();
        let level = self.level();
        if level.is_some() {
            self.reader.name_goes(inside);
        }
        let Some(after) = after else { return Ok(&[]) };
        if let Some(level) = level {
            self.reader.name_ends(level, end)?;
        }
        self.at = At::Colon;
        Ok(after)
    }

    /// More of a string; gives back what follows it.
    fn string<'a>(&mut self, rest: &'a [u8], here: usize) -> Result<&'a [u8], ScanError> {
        let (inside, after) = self.split(rest, here)?;
        let end = here + inside.len();
        self.reader.value_goes(inside);
        let Some(after) = after else { return Ok(&[]) };
        self.reader.value_ends(Scalar::Text, end + 1)?;
        self.at = At::AfterValue;
        Ok(after)
    }

    /// What of these bytes belongs to the name or string, and what follows its closing quote if that is here.
    #[inline]
    fn split<'a>(&mut self, rest: &'a [u8], here: usize) -> Result<(&'a [u8], Option<&'a [u8]>), ScanError> {
        match self.text.look(rest) {
            Step::Bad(offset) => Err(ScanError::Syntax { at: here + offset }),
            Step::Goes => Ok((rest, None)),
            Step::Ends(offset) => {
                let (inside, quote_and_after) = rest.split_at(offset);
                Ok((inside, quote_and_after.get(1..)))
            }
        }
    }

    /// More of a number; gives back what follows it. A number ends only with the byte after it.
    fn number<'a>(&mut self, rest: &'a [u8], here: usize) -> Result<&'a [u8], ScanError> {
        let mut length = 0;
        for &byte in rest {
            let Some(next) = self.number.next(byte) else { break };
            self.number = next;
            length += 1;
        }
        let (inside, after) = rest.split_at(length);
        let end = here + length;
        self.reader.value_goes(inside);
        if !after.is_empty() {
            if !self.number.is_whole() {
                return Err(ScanError::Syntax { at: end });
            }
            self.reader.value_ends(Scalar::Number, end)?;
            self.at = At::AfterValue;
        }
        Ok(after)
    }

    /// One more letter of a word.
    fn word(&mut self, byte: u8, here: usize) -> Result<At, ScanError> {
        let (word, left) = self.word;
        match left {
            [next, ..] if *next != byte => Err(ScanError::Syntax { at: here }),
            [_, left @ ..] if !left.is_empty() => {
                self.word = (word, left);
                Ok(At::InWord)
            }
            _ => {
                self.reader.value_ends(Scalar::Word(word), here + 1)?;
                Ok(At::AfterValue)
            }
        }
    }
}

/// The length of the plain integers with a comma after each at the beginning of these bytes: a prompt may come as a long
/// array of token numbers. Something must follow, so that what is left still has a value before it.
fn integers(bytes: &[u8]) -> usize {
    let mut whole = 0;
    let mut digits = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'1'..=b'9' => digits += 1,
            b'0' if digits > 0 => digits += 1,
            b',' if digits > 0 => {
                digits = 0;
                whole = at + 1;
            }
            _ => break,
        }
    }
    whole
}

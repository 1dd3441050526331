//! Finds the end of a string and checks what is in it: escapes, control characters.

use super::block::{self, Block};

/// Where inside a string the bytes stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Text {
    /// Not in an escape.
    #[default]
    Plain,
    /// After a backslash.
    Backslash,
    /// In `\uXXXX`: so many digits are still to come.
    Hex(u32),
}

/// How far a look at a string came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The closing quote is here.
    Ends(usize),
    /// All bytes belong to the string.
    Goes,
    /// This byte cannot be.
    Bad(usize),
}

impl Text {
    /// Looks at the next bytes of a string.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Step {
        let (blocks, _) = bytes.as_chunks::<64>();
        let mut at = 0;
        for block in blocks {
            match self.block(block) {
                Step::Ends(offset) => return Step::Ends(at + offset),
                Step::Bad(offset) => return Step::Bad(at + offset),
                Step::Goes => at += block.len(),
            }
        }
        match self.bytes(bytes.get(at..).unwrap_or_default()) {
            Step::Ends(offset) => Step::Ends(at + offset),
            Step::Bad(offset) => Step::Bad(at + offset),
            Step::Goes => Step::Goes,
        }
    }

    #[inline]
    fn block(&mut self, block: &Block) -> Step {
        if *self == Self::Plain && block::is_ordinary(block) {
            return Step::Goes;
        }
        let marks = block::marks(block);
        let (escaped, carried) = block::escaped(marks.backslash, *self == Self::Backslash);
        let quote = marks.quote & !escaped;
        let mut bad = marks.control;
        let unusual = escaped & !(marks.quote | marks.backslash);
        let mut beyond = 0;
        if unusual != 0 || matches!(self, Self::Hex(_)) {
            let class = block::escapes(block);
            bad |= unusual & !(class.simple | class.unicode);
            let unicode = u128::from(unusual & class.unicode);
            let digits = unicode << 1 | unicode << 2 | unicode << 3 | unicode << 4 | self.awaited();
            // The low half are this block's, the rest the next one's.
            bad |= digits as u64 & !class.hex;
            beyond = (digits >> 64) as u64;
        }
        let step = nearest(quote, bad);
        *self = match step {
            Step::Goes if carried => Self::Backslash,
            Step::Goes if beyond != 0 => Self::Hex(beyond.count_ones()),
            _ => Self::Plain,
        };
        step
    }

    /// The same, byte by byte: for what is shorter than a block.
    fn bytes(&mut self, bytes: &[u8]) -> Step {
        for (at, &byte) in bytes.iter().enumerate() {
            *self = match (*self, byte) {
                (Self::Plain, b'"') => return Step::Ends(at),
                (Self::Plain, b'\\') => Self::Backslash,
                (Self::Plain, 0x20..) => Self::Plain,
                (Self::Backslash, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Self::Plain,
                (Self::Backslash, b'u') => Self::Hex(4),
                (Self::Hex(1), byte) if byte.is_ascii_hexdigit() => Self::Plain,
                (Self::Hex(left), byte) if byte.is_ascii_hexdigit() => Self::Hex(left - 1),
                _ => return Step::Bad(at),
            };
        }
        Step::Goes
    }

    /// The positions at the beginning that must be hexadecimal digits.
    fn awaited(self) -> u128 {
        match self {
            Self::Hex(left) => (1 << left) - 1,
            Self::Plain | Self::Backslash => 0,
        }
    }
}

/// The first of a closing quote and a byte that cannot be. They meet where a quote stands in place of a digit.
fn nearest(quote: u64, bad: u64) -> Step {
    let (end, bad) = (quote.trailing_zeros(), bad.trailing_zeros());
    match (end, bad) {
        (64, 64) => Step::Goes,
        (end, bad) if end < bad => Step::Ends(end as usize),
        (_, bad) => Step::Bad(bad as usize),
    }
}

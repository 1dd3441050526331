//! Finds the end of a string and checks what is in it: escapes, control characters.

use super::block::{self, Block, Marks};

/// So many bytes of a string are looked at one by one.
const SHORT: usize = 16;

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

impl Step {
    /// The same, for bytes that began `at` bytes earlier.
    fn from(self, at: usize) -> Self {
        match self {
            Self::Ends(offset) => Self::Ends(at + offset),
            Self::Bad(offset) => Self::Bad(at + offset),
            Self::Goes => Self::Goes,
        }
    }
}

impl Text {
    /// Looks at the next bytes of a string.
    #[inline]
    pub(super) fn look(&mut self, bytes: &[u8]) -> Step {
        // Names and most values are short: they end before a block would be worth its masks.
        let mut at = 0;
        if *self == Self::Plain {
            for &byte in bytes.iter().take(SHORT) {
                match byte {
                    b'"' => return Step::Ends(at),
                    b'\\' | ..0x20 => break,
                    _ => at += 1,
                }
            }
        }
        self.blocks(bytes, at)
    }

    /// Looks at the bytes from `at` on, in blocks.
    #[inline(never)]
    fn blocks(&mut self, bytes: &[u8], mut at: usize) -> Step {
        let (blocks, _) = bytes.get(at..).unwrap_or_default().as_chunks::<64>();
        for block in blocks {
            let marks = block::marks(block);
            if !self.passes(&marks) {
                let step = self.part(block, &marks, block.len());
                if step != Step::Goes {
                    return step.from(at);
                }
            }
            at += block.len();
        }
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Step::Goes;
        }
        // The rest as a block that ends in ordinary bytes, which do not count.
        let mut block = [b' '; 64];
        if let Some(begin) = block.get_mut(..rest.len()) {
            begin.copy_from_slice(rest);
        }
        self.part(&block, &block::marks(&block), rest.len()).from(at)
    }

    /// Goes over a block of text in which nothing but quotes and backslashes is escaped: most blocks are such. Another one
    /// leaves everything as it was.
    #[inline]
    fn passes(&mut self, marks: &Marks) -> bool {
        if marks.quote | marks.backslash | marks.control == 0 && *self == Self::Plain {
            return true;
        }
        let (escaped, escapes) = block::escaped(marks.backslash, *self == Self::Backslash);
        let ends = marks.quote & !escaped;
        let unusual = escaped & !(marks.quote | marks.backslash);
        if ends | unusual | marks.control != 0 || matches!(self, Self::Hex(_)) {
            return false;
        }
        *self = if escapes >> 63 == 1 {
            Self::Backslash
        } else {
            Self::Plain
        };
        true
    }

    /// Looks at the first `length` bytes of a block, at least one.
    fn part(&mut self, block: &Block, marks: &Marks, length: usize) -> Step {
        let (escaped, escapes) = block::escaped(marks.backslash, *self == Self::Backslash);
        let quote = marks.quote & !escaped;
        let mut bad = marks.control;
        // From here on each class is asked for only where the ones before leave something open.
        let unusual = escaped & !(marks.quote | marks.backslash);
        let unusual = if unusual == 0 {
            0
        } else {
            unusual & !block::simple_escapes(block)
        };
        let mut beyond = 0;
        if unusual != 0 || matches!(self, Self::Hex(_)) {
            let unicode = unusual & block::unicode_escapes(block);
            bad |= unusual & !unicode;
            let unicode = u128::from(unicode);
            let digits = unicode << 1 | unicode << 2 | unicode << 3 | unicode << 4 | self.awaited();
            bad |= digits as u64 & !block::hex_digits(block);
            beyond = digits >> length;
        }
        let counts = u64::MAX >> (64 - length);
        let step = nearest(quote & counts, bad & counts);
        *self = match step {
            Step::Goes if escapes >> (length - 1) & 1 == 1 => Self::Backslash,
            Step::Goes if beyond != 0 => Self::Hex(beyond.count_ones()),
            _ => Self::Plain,
        };
        step
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

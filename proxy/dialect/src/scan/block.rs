//! Sixty-four bytes at a time: one bit per byte for each class that matters inside a string.
//!
//! Plain arithmetic that the compiler turns into vector instructions of whatever machine it builds for.

/// One block.
pub(super) type Block = [u8; 64];

/// What inside a string ends it, escapes or cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// `"`
    pub(super) quote: u64,
    /// `\`
    pub(super) backslash: u64,
    /// Below 0x20.
    pub(super) control: u64,
}

impl Marks {
    /// Nothing but ordinary text.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.quote | self.backslash | self.control == 0
    }
}

/// Does the block hold nothing but ordinary text? Most blocks of a prompt do.
#[inline]
pub(super) fn is_ordinary(block: &Block) -> bool {
    // Without a way out of the loop, which would keep it from being done on all bytes at once.
    !block.iter().fold(false, |special, &byte| {
        special | (byte == b'"') | (byte == b'\\') | (byte < 0x20)
    })
}

/// The classes of a string's inside.
#[inline]
pub(super) fn marks(block: &Block) -> Marks {
    let control = block.iter().fold(false, |any, &byte| any | (byte < 0x20));
    Marks {
        quote: mask(block, |byte| byte == b'"'),
        backslash: mask(block, |byte| byte == b'\\'),
        control: if control {
            mask(block, |byte| byte < 0x20)
        } else {
            0
        },
    }
}

/// `/ b f n r t`: what may follow a backslash, besides quote, backslash and `u`.
#[inline]
pub(super) fn simple_escapes(block: &Block) -> u64 {
    mask(block, |byte| {
        matches!(byte, b'/' | b'b' | b'f' | b'n' | b'r' | b't')
    })
}

/// `u`
#[inline]
pub(super) fn unicode_escapes(block: &Block) -> u64 {
    mask(block, |byte| byte == b'u')
}

/// `0-9 a-f A-F`
#[inline]
pub(super) fn hex_digits(block: &Block) -> u64 {
    mask(block, |byte| byte.is_ascii_hexdigit())
}

/// One bit per byte. Each eight answers (0 or 1 a byte) are gathered into a byte by one multiplication: the factor's
/// bits put answer k at bit 56 + k and no two of them on one bit.
#[inline]
fn mask(block: &Block, class: impl Fn(u8) -> bool) -> u64 {
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let answers = block.map(|byte| u8::from(class(byte)));
    let (eights, _) = answers.as_chunks::<8>();
    eights.iter().enumerate().fold(0, |mask, (index, eight)| {
        mask | (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56) << (index * 8)
    })
}

/// Which bytes are escaped and which backslashes escape one, given the backslashes and whether the block before ended in
/// the middle of an escape. A run of backslashes escapes the byte after it if its length is odd; the subtraction carries
/// through a run and tells the two lengths apart by the bit on which it comes out.
#[inline]
pub(super) fn escaped(backslash: u64, carried: bool) -> (u64, u64) {
    const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    let carried = u64::from(carried);
    let starts = backslash & !carried;
    let follows = (starts << 1) | ODD;
    let codes = follows.wrapping_sub(starts) ^ ODD;
    (codes ^ (backslash | carried), codes & backslash)
}

//! Sixty-four bytes at a time: one bit per byte for each class that matters inside a string.

use wide::u8x32;

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

/// The classes of a string's inside.
#[inline]
pub(super) fn marks(block: &Block) -> Marks {
    Marks {
        quote: mask(block, |bytes| is(bytes, b'"')),
        backslash: mask(block, |bytes| is(bytes, b'\\')),
        control: mask(block, |bytes| between(bytes, 0, 0x1f)),
    }
}

/// `/ b f n r t`: what may follow a backslash, besides quote, backslash and `u`.
#[inline]
pub(super) fn simple_escapes(block: &Block) -> u64 {
    mask(block, |bytes| {
        b"/bfnrt"
            .iter()
            .fold(u8x32::ZERO, |any, &byte| any | is(bytes, byte))
    })
}

/// `u`
#[inline]
pub(super) fn unicode_escapes(block: &Block) -> u64 {
    mask(block, |bytes| is(bytes, b'u'))
}

/// `0-9 a-f A-F`
#[inline]
pub(super) fn hex_digits(block: &Block) -> u64 {
    mask(block, |bytes| {
        let small = bytes | u8x32::splat(b'a' ^ b'A');
        between(bytes, b'0', b'9') | between(small, b'a', b'f')
    })
}

#[inline]
fn is(bytes: u8x32, byte: u8) -> u8x32 {
    bytes.simd_eq(u8x32::splat(byte))
}

#[inline]
fn between(bytes: u8x32, first: u8, last: u8) -> u8x32 {
    (bytes - u8x32::splat(first)).simd_le(u8x32::splat(last - first))
}

/// One bit per byte.
#[inline]
fn mask(block: &Block, class: impl Fn(u8x32) -> u8x32) -> u64 {
    let (halves, _) = block.as_chunks::<32>();
    halves.iter().rev().fold(0, |mask, half| {
        mask << 32 | u64::from(class(u8x32::new(*half)).to_bitmask())
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

//! The masks by plain arithmetic, for machines without a known vector unit and as the twin that the other form is
//! tested against.

use super::{Block, Escapes, Marks};

/// The classes of a string's inside.
pub(in crate::scan) fn marks(block: &Block) -> Marks {
    Marks {
        quote: mask(block, |byte| byte == b'"'),
        backslash: mask(block, |byte| byte == b'\\'),
        control: mask(block, |byte| byte < 0x20),
    }
}

/// The classes of what follows a backslash.
pub(in crate::scan) fn escapes(block: &Block) -> Escapes {
    Escapes {
        simple: mask(block, |byte| {
            matches!(byte, b'/' | b'b' | b'f' | b'n' | b'r' | b't')
        }),
        unicode: mask(block, |byte| byte == b'u'),
        hex: mask(block, |byte| byte.is_ascii_hexdigit()),
    }
}

/// One bit per byte. Each eight answers (0 or 1 a byte) are gathered into a byte by one multiplication: the factor's
/// bits put answer k at bit 56 + k and no two of them on one bit.
#[inline]
fn mask(block: &Block, class: impl Fn(u8) -> bool) -> u64 {
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = block.as_chunks::<8>();
    eights.iter().enumerate().fold(0, |mask, (index, eight)| {
        let answers = u64::from_le_bytes(eight.map(|byte| u8::from(class(byte))));
        mask | (answers.wrapping_mul(GATHER) >> 56) << (index * 8)
    })
}

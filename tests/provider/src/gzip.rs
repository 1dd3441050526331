//! gzip without compressing: stored blocks. Enough to see what a proxy does with an encoding it did not ask for.

/// Wraps `data` into a valid gzip member.
pub(crate) fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut chunks = data.chunks(0xffff).peekable();
    if data.is_empty() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(chunk) = chunks.next() {
        let len = chunk.len() as u16;
        out.push(u8::from(chunks.peek().is_none()));
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend_from_slice(chunk);
    }
    out.extend(crc32(data).to_le_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_known_one_and_blocks_chain() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let long = vec![7u8; 70_000];
        let packed = stored(&long);
        assert_eq!((packed[10], packed[10 + 5 + 0xffff]), (0, 1));
        assert_eq!(packed.len(), 10 + 5 + 5 + 70_000 + 8);
    }
}

//! Pieces of bytes that are kept, in memory that bears a proportion to them.
//!
//! hyper gives a body out as slices of its read buffers, and each slice keeps its whole buffer alive: kept as they come, pieces of
//! 1 KiB would hold eight to sixty-four times the memory that is counted. So small pieces are copied together, and only one that
//! fills half of a read buffer is kept as it is: what is held is at most twice what is counted. The first piece is kept too,
//! because most bodies have no other, and joining those would copy every prompt.

use bytes::{Bytes, BytesMut};

/// The size of hyper's read buffers, of clients' connections and of providers'.
pub(crate) const READ_BUFFER: usize = 64 * 1024;
/// Pieces below this size are copied.
const CRUMB: usize = READ_BUFFER / 2;

/// Pieces that are kept.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    whole: Vec<Bytes>,
    crumbs: BytesMut,
}

impl Gathered {
    /// Keeps one more.
    pub(crate) fn push(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        if data.len() >= CRUMB || (self.whole.is_empty() && self.crumbs.is_empty()) {
            self.sweep();
            self.whole.push(data);
            return;
        }
        // A block that would have to grow further is left behind: growing copies it, and doubles what it holds.
        if self.crumbs.len() + data.len() > READ_BUFFER {
            self.sweep();
        }
        self.crumbs.extend_from_slice(&data);
    }

    fn sweep(&mut self) {
        if !self.crumbs.is_empty() {
            self.whole.push(std::mem::take(&mut self.crumbs).freeze());
        }
    }

    /// All of it, in order.
    pub(crate) fn finish(mut self) -> Vec<Bytes> {
        self.sweep();
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_at_most_twice_what_is_counted() {
        for sizes in [
            &[1][..],
            &[1024],
            &[8 * 1024],
            &[CRUMB - 1],
            &[CRUMB],
            &[READ_BUFFER],
            &[1, CRUMB],
            &[CRUMB - 1, CRUMB, 1],
        ] {
            let text: Vec<u8> = (0..256 * 1024_u32).map(|at| at.to_le_bytes()[0]).collect();
            let (mut gathered, mut left) = (Gathered::default(), &*text);
            // Each read goes into a buffer of its own, which is alive while a piece in it is.
            let mut reads = Vec::new();
            for size in sizes.iter().cycle() {
                let Some((piece, rest)) = left.split_at_checked(*size) else {
                    break;
                };
                left = rest;
                let read = Bytes::copy_from_slice(piece);
                reads.push(read.clone());
                gathered.push(read);
            }
            let counted = text.len() - left.len();
            let kept = gathered.finish();
            assert_eq!(kept.concat(), text[..counted], "{sizes:?}");
            let was_read = |piece: &Bytes| reads.iter().any(|read| read.as_ptr() == piece.as_ptr());
            let held: usize = kept
                .iter()
                .map(|piece| {
                    if was_read(piece) {
                        READ_BUFFER
                    } else {
                        2 * piece.len()
                    }
                })
                .sum();
            // The first piece's buffer is one more.
            assert!(
                held <= 2 * counted + READ_BUFFER,
                "{sizes:?}: {held} for {counted}"
            );
        }
    }
}

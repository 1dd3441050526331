//! A request's body as it came: a queue of pieces, never joined.
//!
//! It goes out as *one* data frame whose buffer is the queue, so that the pieces are written with one `writev` and the length is
//! known exactly. Joining them would copy every prompt once and touch fresh pages for it.

use std::convert::Infallible;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

/// Pieces of bytes that read as one.
#[derive(Debug, Default)]
pub struct Frames {
    current: Bytes,
    rest: std::vec::IntoIter<Bytes>,
    remaining: usize,
    /// Set when the last byte has been taken.
    drained: Option<Arc<AtomicBool>>,
}

impl From<Vec<Bytes>> for Frames {
    fn from(pieces: Vec<Bytes>) -> Self {
        let remaining = pieces.iter().map(Bytes::len).sum();
        let mut frames = Self {
            current: Bytes::new(),
            rest: pieces.into_iter(),
            remaining,
            drained: None,
        };
        frames.next_piece();
        frames
    }
}

impl From<Bytes> for Frames {
    fn from(piece: Bytes) -> Self {
        Self {
            remaining: piece.len(),
            current: piece,
            ..Self::default()
        }
    }
}

impl Frames {
    /// Goes on to a piece that is not empty, if there is one; a piece's memory is free as soon as it is written.
    fn next_piece(&mut self) {
        while self.current.is_empty() {
            match self.rest.next() {
                Some(piece) => self.current = piece,
                None => return,
            }
        }
    }
}

impl Buf for Frames {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        &self.current
    }

    fn chunks_vectored<'a>(&'a self, to: &mut [IoSlice<'a>]) -> usize {
        let pieces = std::iter::once(&self.current).chain(self.rest.as_slice());
        let mut used = 0;
        for (slot, piece) in to.iter_mut().zip(pieces.filter(|piece| !piece.is_empty())) {
            *slot = IoSlice::new(piece);
            used += 1;
        }
        used
    }

    fn advance(&mut self, mut count: usize) {
        self.remaining = self.remaining.saturating_sub(count);
        while count > 0 && !self.current.is_empty() {
            let step = count.min(self.current.len());
            self.current.advance(step);
            count -= step;
            self.next_piece();
        }
        if self.remaining == 0
            && let Some(drained) = &self.drained
        {
            drained.store(true, Ordering::Release);
        }
    }
}

/// The body of a request: all of it, or nothing.
#[derive(Debug, Default)]
pub struct RequestBody(Option<Frames>);

impl RequestBody {
    /// No body.
    pub fn empty() -> Self {
        Self(None)
    }

    /// Lets `drained` say when the last byte was handed over; set at once for an empty body.
    pub(super) fn watch(&mut self, drained: &Arc<AtomicBool>) {
        drained.store(self.0.is_none(), Ordering::Release);
        if let Some(frames) = &mut self.0 {
            frames.drained = Some(drained.clone());
        }
    }
}

impl From<Vec<Bytes>> for RequestBody {
    fn from(pieces: Vec<Bytes>) -> Self {
        let frames = Frames::from(pieces);
        Self((frames.remaining > 0).then_some(frames))
    }
}

impl Body for RequestBody {
    type Data = Frames;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Frames>, Infallible>>> {
        Poll::Ready(self.0.take().map(|frames| Ok(Frame::data(frames))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |frames| frames.remaining as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(pieces: &[&'static str]) -> Frames {
        Frames::from(
            pieces
                .iter()
                .map(|p| Bytes::from_static(p.as_bytes()))
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn pieces_read_as_one_wherever_they_are_advanced() {
        for step in 1..8 {
            let mut buf = frames(&["", "ab", "", "cde", "f", ""]);
            let drained = Arc::new(AtomicBool::new(false));
            buf.drained = Some(drained.clone());
            let mut read = Vec::new();
            while buf.has_remaining() {
                assert!(!drained.load(Ordering::Acquire));
                let mut slices = [IoSlice::new(&[]); 4];
                let used = buf.chunks_vectored(&mut slices);
                let whole: Vec<u8> = slices[..used].iter().flat_map(|s| s.to_vec()).collect();
                assert_eq!(whole.len(), buf.remaining());
                assert!(whole.starts_with(buf.chunk()) && !buf.chunk().is_empty());
                let step = step.min(buf.remaining());
                read.extend_from_slice(&whole[..step]);
                buf.advance(step);
            }
            assert_eq!(read, b"abcdef");
            assert!(drained.load(Ordering::Acquire));
            assert_eq!(buf.chunk(), b"");
        }
    }

    #[test]
    fn fewer_slots_than_pieces_give_the_first_pieces() {
        let buf = frames(&["a", "b", "c"]);
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!(buf.chunks_vectored(&mut slices), 2);
        assert_eq!((&*slices[0], &*slices[1]), (&b"a"[..], &b"b"[..]));
    }

    #[test]
    fn the_length_is_known_and_an_empty_body_is_none() {
        let body = RequestBody::from(vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")]);
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(!body.is_end_stream());
        assert!(RequestBody::from(vec![Bytes::new()]).is_end_stream());
    }
}

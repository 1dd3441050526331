//! What goes to the client in one write, and what waits for the end of its event.
//!
//! A client that gets half an event and then an error event reads the two as one, and stumbles over half a JSON text
//! before it comes to the error. So the beginning of an event waits for its end, and goes nowhere if that never comes. A long event
//! (images come as megabytes in one) does not wait: memory is bounded.

use bytes::Bytes;

/// Bytes of one piece: about what the connection's buffer takes.
const PIECE: usize = 64 * 1024;
/// Frames of one piece: as many as one `writev` takes easily.
const PIECE_FRAMES: usize = 32;
/// The longest beginning of an event that waits for its end, in bytes.
const TAIL: usize = 64 * 1024;

/// What goes out in one write.
#[derive(Debug, Default)]
pub(super) struct Piece {
    frames: Vec<Bytes>,
    bytes: usize,
}

impl Piece {
    /// Puts bytes at the end.
    pub(super) fn push(&mut self, frame: Bytes) {
        if !frame.is_empty() {
            self.bytes += frame.len();
            self.frames.push(frame);
        }
    }

    /// More belongs into another one.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= PIECE || self.frames.len() >= PIECE_FRAMES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    pub(super) fn into_frames(self) -> Vec<Bytes> {
        self.frames
    }
}

/// The beginning of an event whose end has not come.
#[derive(Debug, Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    /// Takes the next bytes and puts what may go into `piece`. `open` says how many bytes belong to an event that is not whole,
    /// counted from the last one of these.
    pub(super) fn pass(&mut self, mut data: Bytes, open: usize, piece: &mut Piece) {
        if open > TAIL {
            piece.push(self.release());
            piece.push(data);
            return;
        }
        let kept = data.split_off(data.len().saturating_sub(open));
        if !data.is_empty() {
            piece.push(self.release());
            piece.push(data);
        }
        self.0.extend_from_slice(&kept);
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What waits, to go out as it is.
    pub(super) fn release(&mut self) -> Bytes {
        std::mem::take(&mut self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use keypool_contract::ProviderType;
    use keypool_dialect::stream::{Position, StreamMachine};

    use super::*;

    /// Feeds these chunks one by one: what went out after each, and what waits at last.
    fn relayed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut machine = StreamMachine::new(ProviderType::OpenAI, None);
        let (mut tail, mut out) = (Tail::default(), Vec::new());
        for chunk in chunks {
            machine.feed(chunk, SystemTime::UNIX_EPOCH);
            let mut piece = Piece::default();
            tail.pass(Bytes::copy_from_slice(chunk), machine.open_bytes(), &mut piece);
            assert!(tail.0.len() <= TAIL);
            out.push(piece.into_frames().concat());
        }
        (out, tail.release().into())
    }

    #[test]
    fn whole_events_go_at_once_and_what_is_begun_waits() {
        let table: [(&[&str], &[&str], &str); 8] = [
            (&["data: a\n\n"], &["data: a\n\n"], ""),
            (&["data: a\n\ndata: b\n\nda"], &["data: a\n\ndata: b\n\n"], "da"),
            (
                &["data", ": a", "\n", "\ndata: b"],
                &["", "", "", "data: a\n\n"],
                "data: b",
            ),
            (&["data: a\r\n\r", "\n"], &["data: a\r\n\r", "\n"], ""),
            (&["data: a\r\r", "data"], &["data: a\r\r", ""], "data"),
            (&[": ping\n", ": pi"], &[": ping\n", ""], ": pi"),
            (&["data: a\n: ping\n", "\n"], &["", "data: a\n: ping\n\n"], ""),
            (&["\n\n", "", "x"], &["\n\n", "", ""], "x"),
        ];
        for (chunks, out, waits) in table {
            let (went, waiting) = relayed(chunks.iter().map(|chunk| chunk.as_bytes()));
            let went: Vec<&str> = went.iter().map(|bytes| str::from_utf8(bytes).unwrap()).collect();
            assert_eq!((&*went, &*waiting), (out, waits.as_bytes()), "{chunks:?}");
        }
    }

    #[test]
    fn a_stream_is_the_same_however_it_is_cut_and_breaks_off_between_events() {
        let stream = ": hi\n\ndata: {\"a\":1}\r\n\r\nevent: x\ndata: b\n\ndata: [DONE]";
        for cut in 0..=stream.len() {
            for then in cut..=stream.len() {
                let chunks = [&stream[..cut], &stream[cut..then], &stream[then..]];
                let (went, waits) = relayed(chunks.map(str::as_bytes));
                assert_eq!([went.concat(), waits].concat(), stream.as_bytes());
                let mut machine = StreamMachine::new(ProviderType::OpenAI, None);
                let (went, _) = relayed([&stream[..cut], &stream[cut..then]].map(str::as_bytes));
                machine.feed(&went.concat(), SystemTime::UNIX_EPOCH);
                assert_eq!(machine.position(), Position::Boundary, "{cut} {then}");
            }
        }
    }

    #[test]
    fn a_long_event_flows_and_the_next_one_waits_again() {
        let part = vec![b'x'; 10_000];
        let chunks: Vec<&[u8]> = std::iter::once(&b"data: "[..])
            .chain(std::iter::repeat_n(&*part, 9))
            .chain([&b"\n\ndata: b"[..]])
            .collect();
        let (went, waits) = relayed(chunks);
        let lengths: Vec<usize> = went.iter().map(Vec::len).collect();
        assert_eq!(lengths, [0, 0, 0, 0, 0, 0, 0, 70_006, 10_000, 10_000, 2]);
        assert_eq!(waits, b"data: b");
    }
}

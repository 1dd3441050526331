//! Reads an answer without looking at more of it than must be: status, length or chunks, event ends.

use memchr::memmem;

/// Something that is not an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// One answer as far as it came.
#[derive(Debug)]
pub(super) struct Reader {
    state: State,
    /// The head, or a chunk size, that came in pieces.
    held: Vec<u8>,
    pub(super) status: u16,
    pub(super) body_bytes: u64,
    pub(super) events: u64,
    pub(super) closes: bool,
    /// The last bytes of the body.
    tail: [u8; TAIL],
}

const TAIL: usize = 14;
const LARGEST_HEAD: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the body are missing.
    Length(u64),
    ChunkSize,
    Chunk(u64),
    /// After the last chunk: the trailer's end.
    Trailer,
    UntilClose,
    Done,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            state: State::Head,
            held: Vec::new(),
            status: 0,
            body_bytes: 0,
            events: 0,
            closes: false,
            tail: [0; TAIL],
        }
    }
}

impl Reader {
    /// For the next answer.
    pub(super) fn restart(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        held.clear();
        *self = Self {
            held,
            ..Self::default()
        };
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the body ends with `data: [DONE]` and its blank line.
    pub(super) fn ends_with_done(&self) -> bool {
        self.tail == *b"data: [DONE]\n\n"
    }

    /// The connection ended; true when that ends the answer properly.
    pub(super) fn close(&mut self) -> bool {
        let proper = self.state == State::UntilClose;
        if proper {
            self.state = State::Done;
        }
        proper
    }

    /// Takes what came. `on_body` sees each piece of the body. Bytes after the answer's end are an error.
    pub(super) fn feed(&mut self, mut input: &[u8], mut on_body: impl FnMut(&[u8])) -> Result<(), Malformed> {
        while !input.is_empty() {
            match self.state {
                State::Head => {
                    let Some(used) = self.hold_until(input, b"\r\n\r\n")? else {
                        return Ok(());
                    };
                    input = &input[used..];
                    self.head()?;
                }
                State::Length(left) => {
                    let part = self.body(input, left, &mut on_body);
                    let left = left - part as u64;
                    self.state = if left == 0 {
                        State::Done
                    } else {
                        State::Length(left)
                    };
                    input = &input[part..];
                }
                State::ChunkSize => {
                    let Some(used) = self.hold_until(input, b"\r\n")? else {
                        return Ok(());
                    };
                    input = &input[used..];
                    let size = chunk_size(&self.held)?;
                    self.held.clear();
                    // The two bytes after a chunk are counted with it.
                    self.state = if size == 0 {
                        State::Trailer
                    } else {
                        State::Chunk(size + 2)
                    };
                }
                State::Chunk(left) => {
                    let data = self.body(input, left.saturating_sub(2), &mut on_body);
                    let used = data.max(if left <= 2 {
                        input.len().min(left as usize)
                    } else {
                        0
                    });
                    let left = left - used as u64;
                    self.state = if left == 0 {
                        State::ChunkSize
                    } else {
                        State::Chunk(left)
                    };
                    input = &input[used..];
                }
                State::Trailer => {
                    let Some(used) = self.hold_until(input, b"\r\n")? else {
                        return Ok(());
                    };
                    input = &input[used..];
                    if self.held == b"\r\n" {
                        self.state = State::Done;
                    }
                    self.held.clear();
                }
                State::UntilClose => {
                    self.body(input, u64::MAX, &mut on_body);
                    return Ok(());
                }
                State::Done => return Err(Malformed),
            }
        }
        Ok(())
    }

    /// Collects up to and with `end`; tells how much of the input that took.
    fn hold_until(&mut self, input: &[u8], end: &[u8]) -> Result<Option<usize>, Malformed> {
        let before = self.held.len();
        let from = before.saturating_sub(end.len() - 1);
        if before == 0 {
            if let Some(at) = memmem::find(input, end) {
                self.held.extend_from_slice(&input[..at + end.len()]);
                return Ok(Some(at + end.len()));
            }
            self.held.extend_from_slice(input);
        } else {
            self.held.extend_from_slice(input);
            if let Some(at) = memmem::find(&self.held[from..], end) {
                self.held.truncate(from + at + end.len());
                return Ok(Some(self.held.len() - before));
            }
        }
        if self.held.len() > LARGEST_HEAD {
            Err(Malformed)
        } else {
            Ok(None)
        }
    }

    fn head(&mut self) -> Result<(), Malformed> {
        let held = std::mem::take(&mut self.held);
        let status = held
            .get(9..12)
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        self.status = status.filter(|_| held.starts_with(b"HTTP/1.")).ok_or(Malformed)?;
        if (100..200).contains(&self.status) {
            self.restart();
            return Ok(());
        }
        self.state = State::UntilClose;
        for line in held.split(|byte| *byte == b'\n') {
            if let Some(value) = field(line, b"content-length:") {
                let length = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .ok_or(Malformed)?;
                self.state = if length == 0 {
                    State::Done
                } else {
                    State::Length(length)
                };
            } else if field(line, b"transfer-encoding:")
                .is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"))
            {
                self.state = State::ChunkSize;
                break;
            } else if field(line, b"connection:").is_some_and(|value| value.eq_ignore_ascii_case(b"close")) {
                self.closes = true;
            }
        }
        self.held = held;
        self.held.clear();
        Ok(())
    }

    fn body(&mut self, input: &[u8], most: u64, on_body: &mut impl FnMut(&[u8])) -> usize {
        let len = input.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        let part = &input[..len];
        if part.is_empty() {
            return 0;
        }
        on_body(part);
        self.body_bytes += len as u64;
        // An event ends with a blank line; its two line feeds may come in two pieces.
        let across = self.tail[TAIL - 1] == b'\n' && part[0] == b'\n';
        self.events += u64::from(across) + memmem::find_iter(part, b"\n\n").count() as u64;
        if len >= TAIL {
            self.tail.copy_from_slice(&part[len - TAIL..]);
        } else {
            self.tail.rotate_left(len);
            self.tail[TAIL - len..].copy_from_slice(part);
        }
        len
    }
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line
        .split(|byte| matches!(byte, b'\r' | b';'))
        .next()
        .unwrap_or_default();
    let text = std::str::from_utf8(digits.trim_ascii()).map_err(|_| Malformed)?;
    u64::from_str_radix(text, 16).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        8\r\ndata: 1\n\r\n1\r\n\n\r\n17\r\ndata: 2\n\ndata: [DONE]\n\n\r\n0\r\n\r\n";
    const PLAIN: &[u8] =
        b"HTTP/1.1 103 Hints\r\nx: y\r\n\r\nHTTP/1.1 429 No\r\nContent-Length: 5\r\n\r\nhello";

    fn read(answer: &[u8], cuts: &[usize]) -> Result<(Reader, Vec<u8>), Malformed> {
        let (mut reader, mut body, mut from) = (Reader::default(), Vec::new(), 0);
        for to in cuts.iter().copied().chain([answer.len()]) {
            reader.feed(&answer[from..to.max(from)], |part| body.extend_from_slice(part))?;
            from = to.max(from);
        }
        Ok((reader, body))
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(mut cuts in prop::collection::vec(0..STREAM.len(), 0..8)) {
            cuts.sort_unstable();
            let (reader, body) = read(STREAM, &cuts).unwrap();
            prop_assert!(reader.is_done() && reader.ends_with_done());
            prop_assert_eq!((reader.status, reader.events, reader.body_bytes), (200, 3, 32));
            prop_assert_eq!(body.as_slice(), b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n".as_slice());
            cuts.retain(|cut| *cut < PLAIN.len());
            let (reader, body) = read(PLAIN, &cuts).unwrap();
            prop_assert_eq!((reader.status, reader.is_done(), body.as_slice()), (429, true, b"hello".as_slice()));
        }
    }

    #[test]
    fn what_is_too_much_or_no_answer_is_refused() {
        assert!(read(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab", &[]).is_err());
        assert!(read(b"nonsense\r\n\r\n", &[]).is_err());
        assert!(
            read(
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
                &[]
            )
            .is_err()
        );
    }

    #[test]
    fn an_end_is_proper_only_without_length_and_chunks() {
        let (mut short, _) = read(&STREAM[..STREAM.len() - 5], &[]).unwrap();
        assert!(!short.close());
        let (mut open, _) = read(b"HTTP/1.1 200 OK\r\n\r\nab", &[]).unwrap();
        assert!(open.close() && open.is_done());
    }
}

//! Sees in the bytes what hyper's parser forgives and hides.
//!
//! hyper accepts lines that end in a bare LF, drops `content-length` where `transfer-encoding` stands beside it, and cuts a
//! fragment off the target. Each is a way to make two servers see two different requests, so each is refused; but only the bytes still
//! show them. This looks at heads alone: it follows a body by its length, and after a chunked one it looks no further,
//! because such a connection is closed after its answer.

use memchr::memchr;

/// Enough of a line to know `transfer-encoding:` and any `content-length:` with its number; padded beyond it, it is refused.
const PREFIX: usize = 40;

/// What a head must not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Flaw {
    /// A line that ends in LF alone.
    BareLineFeed = 1,
    /// A `#` in the request line.
    Fragment,
    /// Both ways to say where the body ends.
    TwoLengths,
    /// A length that is not plainly a number, so that what follows the head is in doubt.
    Length,
}

impl Flaw {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::BareLineFeed, Self::Fragment, Self::TwoLengths, Self::Length]
            .into_iter()
            .find(|flaw| *flaw as u8 == number)
    }
}

/// Follows the bytes of one connection.
pub(super) struct Lint {
    state: State,
    prefix: [u8; PREFIX],
    kept: usize,
    last: u8,
    in_request_line: bool,
    length: Option<u64>,
    chunked: bool,
    flaw: Option<Flaw>,
}

enum State {
    Head,
    Body(u64),
    /// Nothing more can be known.
    Blind,
}

impl Lint {
    pub(super) fn new() -> Self {
        Self {
            state: State::Head,
            prefix: [0; PREFIX],
            kept: 0,
            last: 0,
            in_request_line: true,
            length: None,
            chunked: false,
            flaw: None,
        }
    }

    /// Looks at the next bytes; the first flaw that was ever seen.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Option<Flaw> {
        while !bytes.is_empty() {
            match self.state {
                State::Blind => break,
                State::Body(left) => {
                    let step = left.min(bytes.len() as u64);
                    self.state = if step == left {
                        State::Head
                    } else {
                        State::Body(left - step)
                    };
                    bytes = bytes
                        .get(usize::try_from(step).unwrap_or(usize::MAX)..)
                        .unwrap_or_default();
                }
                State::Head => match memchr(b'\n', bytes) {
                    None => {
                        self.keep(bytes);
                        break;
                    }
                    Some(end) => {
                        let (line, rest) = bytes.split_at(end);
                        self.keep(line);
                        self.end_line();
                        bytes = rest.get(1..).unwrap_or_default();
                    }
                },
            }
        }
        self.flaw
    }

    fn keep(&mut self, part: &[u8]) {
        let Some(last) = part.last() else { return };
        self.last = *last;
        let room = self.prefix.get_mut(self.kept..).unwrap_or_default();
        let step = room.len().min(part.len());
        for (to, from) in room.iter_mut().zip(part) {
            *to = *from;
        }
        self.kept += step;
        if self.in_request_line && memchr(b'#', part).is_some() {
            self.note(Flaw::Fragment);
        }
    }

    fn end_line(&mut self) {
        if self.last != b'\r' {
            self.note(Flaw::BareLineFeed);
        }
        let line = self.prefix.get(..self.kept).unwrap_or_default().trim_ascii_end();
        if !line.is_empty() {
            if let Some(value) = value_of(line, b"content-length:") {
                // Of a line that fills the room, more may have been cut off.
                let whole = self.kept < PREFIX;
                let number = std::str::from_utf8(value.trim_ascii())
                    .ok()
                    .and_then(|number| number.parse().ok());
                self.length = number.filter(|_| whole);
                if self.length.is_none() {
                    self.flaw.get_or_insert(Flaw::Length);
                }
            }
            self.chunked |= value_of(line, b"transfer-encoding:").is_some();
            self.in_request_line = false;
        } else if !self.in_request_line {
            self.end_head();
        }
        self.kept = 0;
        self.last = 0;
    }

    fn end_head(&mut self) {
        if self.chunked && self.length.is_some() {
            self.note(Flaw::TwoLengths);
        }
        self.state = match self.length {
            _ if self.chunked => State::Blind,
            None | Some(0) => State::Head,
            Some(length) => State::Body(length),
        };
        self.in_request_line = true;
        self.length = None;
        self.chunked = false;
    }

    fn note(&mut self, flaw: Flaw) {
        self.flaw.get_or_insert(flaw);
    }
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flaw, however the bytes are split.
    fn lint(bytes: &str) -> Option<Flaw> {
        let whole = Lint::new().feed(bytes.as_bytes());
        for step in [1, 2, 3, 7, 39, 40, 41] {
            let mut lint = Lint::new();
            let mut flaw = None;
            for part in bytes.as_bytes().chunks(step) {
                flaw = lint.feed(part);
            }
            assert_eq!(flaw, whole, "in steps of {step}: {bytes:?}");
        }
        whole
    }

    fn padded(number: &str, spaces: usize) -> String {
        format!("GET / HTTP/1.1\r\ncontent-length:{:spaces$}{number}\r\n\r\n", "")
    }

    #[test]
    fn what_hyper_hides_is_seen() {
        let good = "POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n#\n\n#";
        for (bytes, want) in [
            (good.to_owned(), None),
            (format!("\r\n{good}{good}"), None),
            ("GET /#x HTTP/1.1\r\n".into(), Some(Flaw::Fragment)),
            ("GET / HTTP/1.1\nhost: a\r\n\r\n".into(), Some(Flaw::BareLineFeed)),
            ("GET / HTTP/1.1\r\nhost: a\n\r\n".into(), Some(Flaw::BareLineFeed)),
            ("GET / HTTP/1.1\r\nhost: a\r\n\n".into(), Some(Flaw::BareLineFeed)),
            (
                "GET / HTTP/1.1\r\nContent-Length:4\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
                Some(Flaw::TwoLengths),
            ),
            (
                "GET / HTTP/1.1\r\nTRANSFER-ENCODING:x\r\nCONTENT-LENGTH: 0\r\n\r\n".into(),
                Some(Flaw::TwoLengths),
            ),
            (
                format!("{good}GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"),
                Some(Flaw::TwoLengths),
            ),
            (
                "GET / HTTP/1.1\r\nx: #\r\n\r\nGET /# HTTP/1.1".into(),
                Some(Flaw::Fragment),
            ),
            (
                "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n#\n\r\n".into(),
                None,
            ),
            (
                "GET / HTTP/1.1\r\ncontent-length: 18446744073709551615\r\n\r\n#\n".into(),
                None,
            ),
            (
                "GET / HTTP/1.1\r\ncontent-length: 99999999999999999999999999\r\n\r\n#\n".into(),
                Some(Flaw::Length),
            ),
            (
                "GET / HTTP/1.1\r\ncontent-length: 4, 4\r\n\r\n".into(),
                Some(Flaw::Length),
            ),
            (padded("0", 8), None),
            (padded("0", 25), Some(Flaw::Length)),
            // Cut off between its digits.
            (padded("10", 24), Some(Flaw::Length)),
            ("GET / HTTP/1.1\r\nx-content-length: y\r\n\r\n".into(), None),
        ] {
            assert_eq!(lint(&bytes), want, "{bytes:?}");
        }
    }
}

//! Server-sent events, split while they pass by.
//!
//! Lines end with LF, CRLF or a bare CR, also where a chunk is cut between the two; a byte order mark at the beginning
//! is skipped; comments are told apart. An event that lies whole in one chunk is handed out from there, without a copy.
//! An event above [`EVENT_LIMIT`] is not collected (images come as megabytes in one event): its bytes pass like all
//! others, only nobody looks into them.

use memchr::memchr2;

/// The largest event that is looked into, in bytes.
pub const EVENT_LIMIT: usize = 8 * 1024 * 1024;

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// An event with data.
    Event {
        /// The `event:` line; empty where there is none.
        name: &'a [u8],
        /// The `data:` lines, joined with LF.
        data: &'a [u8],
    },
    /// A line for nobody: a keep-alive.
    Comment,
    /// An event that was too large to look into.
    Oversized,
}

/// Where in an event the bytes stopped: says what must precede an event of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Between two events.
    Boundary,
    /// In an event, after a whole line.
    LineEnd,
    /// In a line.
    InLine,
}

/// Splits one stream.
#[derive(Debug, Default)]
pub struct Splitter {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// The data of the event so far, as far as it is not in the current chunk.
    data: Vec<u8>,
    /// The event has data.
    has_data: bool,
    name: Vec<u8>,
    /// The event is too large; what belongs to it is dropped.
    oversized: bool,
    /// A part of the current line was dropped: it is not empty although `line` is.
    dropped: bool,
    /// Lines came since the last event, other than comments.
    in_event: bool,
    /// Bytes since the last event.
    open: usize,
    /// The last byte was CR: an LF now belongs to it.
    after_cr: bool,
    /// The first line is done, so there is no byte order mark any more.
    begun: bool,
}

impl Splitter {
    /// Splits the next chunk and hands out what it completes.
    pub fn feed(&mut self, chunk: &[u8], mut found: impl FnMut(Item<'_>)) {
        // The event's only data line so far, where it lies in this chunk.
        let mut whole: Option<&[u8]> = None;
        let mut rest = chunk;
        self.open += chunk.len();
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.at_boundary(rest);
        }
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let (line, after) = rest.split_at(end);
            rest = match after {
                [b'\r', b'\n', after @ ..] => after,
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                [_, after @ ..] => after,
                [] => &[],
            };
            if self.line.is_empty() && !self.dropped {
                self.line_ends(line, &mut whole, &mut found);
            } else {
                self.keep(line);
                let line = std::mem::take(&mut self.line);
                // Nothing of this line may be borrowed beyond it: `line` is given back for the next one.
                let mut none = None;
                self.store(whole.take());
                self.line_ends(&line, &mut none, &mut found);
                self.store(none);
                self.line = line;
                self.line.clear();
            }
            self.at_boundary(rest);
        }
        self.store(whole);
        self.keep(rest);
    }

    /// Where in an event the bytes stopped.
    pub fn position(&self) -> Position {
        if !self.line.is_empty() || self.dropped {
            Position::InLine
        } else if self.in_event {
            Position::LineEnd
        } else {
            Position::Boundary
        }
    }

    /// How many of the bytes so far, counted from the last one, belong to an event that is not whole. Zero between two events, and
    /// after a comment there.
    pub fn open_bytes(&self) -> usize {
        self.open
    }

    /// The data of an event that the stream's end cut off before its empty line.
    pub fn unfinished(&self) -> &[u8] {
        match field(&self.line) {
            (b"data", value) if !self.has_data => value,
            _ => &self.data,
        }
    }

    /// A line is whole, or the rest of its end: what follows is open, unless the line is part of an event.
    fn at_boundary(&mut self, rest: &[u8]) {
        if self.position() == Position::Boundary {
            self.open = rest.len();
        }
    }

    /// A line is whole.
    fn line_ends<'a>(
        &mut self,
        line: &'a [u8],
        whole: &mut Option<&'a [u8]>,
        found: &mut impl FnMut(Item<'_>),
    ) {
        let line = if self.begun {
            line
        } else {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        };
        self.begun = true;
        let is_empty = line.is_empty() && !std::mem::take(&mut self.dropped);
        if is_empty {
            self.event_ends(whole.take(), found);
            return;
        }
        let (name, value) = field(line);
        self.in_event |= self.oversized || !name.is_empty();
        if self.oversized {
            return;
        }
        match (name, value) {
            (b"", _) => found(Item::Comment),
            (b"data", value) if self.has_data => {
                self.store(whole.take());
                self.data.push(b'\n');
                self.data.extend_from_slice(value);
                self.bound();
            }
            (b"data", value) => {
                self.has_data = true;
                *whole = Some(value);
            }
            (b"event", value) => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            _ => {}
        }
    }

    fn event_ends(&mut self, whole: Option<&[u8]>, found: &mut impl FnMut(Item<'_>)) {
        if self.oversized {
            found(Item::Oversized);
        } else if self.has_data {
            found(Item::Event {
                name: &self.name,
                data: whole.unwrap_or(&self.data),
            });
        }
        self.data.clear();
        self.name.clear();
        self.has_data = false;
        self.oversized = false;
        self.in_event = false;
    }

    /// Keeps data beyond its chunk.
    fn store(&mut self, whole: Option<&[u8]>) {
        if let Some(data) = whole {
            self.data.extend_from_slice(data);
        }
    }

    /// Keeps the part of a line.
    fn keep(&mut self, part: &[u8]) {
        if self.oversized {
            self.dropped |= !part.is_empty();
        } else {
            self.line.extend_from_slice(part);
            self.bound();
        }
    }

    fn bound(&mut self) {
        if self.data.len() + self.line.len() > EVENT_LIMIT {
            self.oversized = true;
            self.dropped = !self.line.is_empty();
            self.data = Vec::new();
            self.line = Vec::new();
        }
    }
}

/// A line's field and value. A comment's field is empty.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    if let Some(value) = line.strip_prefix(b"data:") {
        return (b"data", value.strip_prefix(b" ").unwrap_or(value));
    }
    match memchr::memchr(b':', line) {
        Some(colon) => {
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default();
            (name, value.strip_prefix(b" ").unwrap_or(value))
        }
        None => (line, b""),
    }
}

#[cfg(test)]
mod tests;

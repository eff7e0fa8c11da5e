//! Server-sent events, as far as completions use them, within bounds; and what servers send in their place.
//!
//! Nothing is thrown away but comments and fields without a use here: an `error:` line, JSON without a frame and the page of a
//! proxy are how some servers say that they failed.

use super::error::CompletionError;
use super::response::CompletionResponse;

/// Bytes of one event.
const EVENT_BYTES_MAX: usize = 256 << 10;
/// Bytes of a field's name; a longer word before a colon is text.
const FIELD_NAME_BYTES_MAX: usize = 32;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What an event's bytes were marked as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Lines of `data:`.
    Data,
    /// Lines of `error:`, or the data of an event of that name.
    Error,
    /// Lines outside of the format: a whole JSON answer, a page, a word of failure.
    Unframed,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: EventKind,
    pub data: Vec<u8>,
    /// False where the stream ended before the event did.
    pub is_whole: bool,
}

/// A response that is a stream of events.
#[derive(Debug)]
pub struct CompletionEvents {
    response: CompletionResponse,
    events: Events,
}

impl CompletionEvents {
    /// Reads a response as a stream of at most `bytes_max`.
    pub fn new(response: CompletionResponse, bytes_max: usize) -> Self {
        Self { response, events: Events::new(bytes_max) }
    }

    /// Returns the next event.
    ///
    /// # Errors
    /// A stream that ends before another event does, or that is over a limit.
    pub async fn next(&mut self) -> Result<Event, CompletionError> {
        loop {
            if let Some(event) = self.events.next() {
                return Ok(event);
            }
            if self.events.ended {
                return Err(CompletionError::Disconnected);
            }
            match self.response.data().await {
                Some(Ok(data)) => self.events.push(&data)?,
                Some(Err(_)) | None => self.events.end(),
            }
        }
    }
}

/// A reader of events: bytes go in as they come, whole events come out.
#[derive(Debug)]
pub struct Events {
    /// Bytes that have come; those before `at` were given out.
    buffer: Vec<u8>,
    at: usize,
    /// Lines of the event that has not ended.
    data: Vec<u8>,
    kind: EventKind,
    /// False until the first line, which may have a byte order mark before it.
    begun: bool,
    /// A carriage return ended the last line, and a line feed after it belongs to the same end.
    after_return: bool,
    /// The stream is over: what is left is an event, if it is anything.
    ended: bool,
    passed: usize,
    bytes_max: usize,
}

impl Events {
    /// Reads a stream of at most `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        let (buffer, data, kind) = (Vec::new(), Vec::new(), EventKind::Data);
        Self {
            buffer,
            at: 0,
            data,
            kind,
            begun: false,
            after_return: false,
            ended: false,
            passed: 0,
            bytes_max,
        }
    }

    /// Takes in what was read.
    ///
    /// # Errors
    /// Over the stream's limit or that of one event.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), CompletionError> {
        self.passed = self.passed.saturating_add(bytes.len());
        if self.passed > self.bytes_max {
            return Err(CompletionError::Oversized(self.bytes_max));
        }
        // Given-out bytes are dropped here and not at each event: moving the rest each time would be quadratic.
        self.buffer.drain(..self.at);
        self.at = 0;
        // Events that lie complete in one read are given out before the next one is pushed. An answer without a frame is
        // one large event, which the limit of the whole stream bounds.
        let is_framed = self.kind != EventKind::Unframed && !is_markup(&self.buffer);
        if is_framed && self.buffer.len() + self.data.len() > EVENT_BYTES_MAX {
            return Err(CompletionError::OversizedEvent(EVENT_BYTES_MAX));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Says that no more bytes come.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Returns the next event.
    #[expect(clippy::should_implement_trait, reason = "more may come after `None`")]
    pub fn next(&mut self) -> Option<Event> {
        while let Some(line) = self.line() {
            if let Some(event) = self.take(&line) {
                return Some(event);
            }
        }
        if self.ended { self.give(false) } else { None }
    }

    /// The next line without its end; at the stream's end also one that has none.
    fn line(&mut self) -> Option<Vec<u8>> {
        if self.after_return && self.buffer.get(self.at) == Some(&b'\n') {
            self.at += 1;
            self.after_return = false;
        }
        let rest = &self.buffer[self.at..];
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let mut line = match end {
            Some(length) => {
                self.after_return = rest[length] == b'\r';
                self.at += length + 1;
                &rest[..length]
            }
            None if self.ended && !rest.is_empty() => {
                self.at = self.buffer.len();
                rest
            }
            None => return None,
        };
        if !self.begun {
            self.begun = true;
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        Some(line.to_vec())
    }

    /// Reads one line; an event where it ends one.
    fn take(&mut self, line: &[u8]) -> Option<Event> {
        if line.is_empty() {
            return self.give(true);
        }
        // Spaces by which a proxy keeps its connection open; within a document they are its own.
        if self.kind != EventKind::Unframed && line.trim_ascii().is_empty() {
            return None;
        }
        let (kind, value) = match field(line) {
            Some(("data", value)) if self.kind == EventKind::Error => (EventKind::Error, value),
            Some(("data", value)) => (EventKind::Data, value),
            Some(("error", value)) => (EventKind::Error, value),
            Some(("event", name)) => {
                if name == b"error" {
                    self.kind = EventKind::Error;
                }
                return None;
            }
            Some(_) => return None,
            None => (EventKind::Unframed, line),
        };
        // An unframed line and a framed one are two events, even where no empty line stands between them.
        let given = if kind == self.kind { None } else { self.give(true) };
        if !self.data.is_empty() {
            self.data.push(b'\n');
        }
        self.kind = kind;
        self.data.extend_from_slice(value);
        given
    }

    fn give(&mut self, is_whole: bool) -> Option<Event> {
        let kind = std::mem::replace(&mut self.kind, EventKind::Data);
        let data = std::mem::take(&mut self.data);
        (!data.is_empty()).then_some(Event { kind, data, is_whole })
    }
}

/// A line's field and value; the field is empty in a comment. `None` where the line isn't of the format.
fn field(line: &[u8]) -> Option<(&'static str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
    // The standard drops one space after the colon; further ones belong to the value.
    let value = value.strip_prefix(b" ").unwrap_or(value);
    let known =
        ["data", "error", "event"].into_iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    // Upper case is `ValueError: ...` and the like, which is a cause.
    let is_name = |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_');
    match known {
        Some(known) => Some((known, value)),
        // Of an unknown field only one with a colon is passed over: a line of one word may be all that a server says.
        None if colon < line.len() && name.len() <= FIELD_NAME_BYTES_MAX && name.iter().all(is_name) => {
            Some(("", value))
        }
        None => None,
    }
}

/// Tells whether bytes begin as JSON or a page does.
fn is_markup(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    bytes
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|byte| matches!(byte, b'{' | b'[' | b'<'))
}

#[cfg(test)]
mod tests;

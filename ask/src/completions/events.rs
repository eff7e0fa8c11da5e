//! Server-sent events, as far as completions use them: the data of each event, within bounds.

use super::error::CompletionError;
use super::response::CompletionResponse;

/// Bytes of one event.
const EVENT_BYTES_MAX: usize = 256 << 10;

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

    /// Returns the next event's data.
    ///
    /// # Errors
    /// A stream that ends before another event does, or that is over a limit.
    pub async fn next(&mut self) -> Result<Vec<u8>, CompletionError> {
        loop {
            if let Some(event) = self.events.next() {
                return Ok(event);
            }
            let data = self.response.data().await.ok_or(CompletionError::Disconnected)??;
            self.events.push(&data)?;
        }
    }
}

/// A reader of events: bytes go in as they come, whole events' data come out.
#[derive(Debug)]
pub struct Events {
    /// Bytes that have come; those before `at` were given out.
    buffer: Vec<u8>,
    at: usize,
    /// Data lines of the event that has not ended.
    data: Vec<u8>,
    passed: usize,
    bytes_max: usize,
}

impl Events {
    /// Reads a stream of at most `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self { buffer: Vec::new(), at: 0, data: Vec::new(), passed: 0, bytes_max }
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
        // Events that lie complete in one read are given out before the next one is pushed.
        if self.buffer.len() + self.data.len() > EVENT_BYTES_MAX {
            return Err(CompletionError::OversizedEvent(EVENT_BYTES_MAX));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Returns the next whole event's data.
    #[expect(clippy::should_implement_trait, reason = "more may come after `None`")]
    pub fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let rest = &self.buffer[self.at..];
            let length = rest.iter().position(|byte| *byte == b'\n')?;
            let line = &rest[..length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.at += length + 1;
            if line.is_empty() {
                if !self.data.is_empty() {
                    return Some(std::mem::take(&mut self.data));
                }
            } else if let Some(value) = line.strip_prefix(b"data:") {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                // The standard drops one space after the colon; further ones belong to the data.
                self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<String>, CompletionError> {
        let mut events = Events::new(1 << 20);
        let mut found = Vec::new();
        for piece in pieces {
            events.push(piece)?;
            while let Some(event) = events.next() {
                found.push(String::from_utf8(event).expect("text"));
            }
        }
        Ok(found)
    }

    #[test]
    fn events_come_out_whole_however_the_bytes_are_cut() {
        let stream =
            b"data: {\"a\":1}\n\n: a comment\n\nevent: x\r\ndata:two\r\ndata: lines\r\n\r\ndata: [DONE]\n\n";
        let expected = vec!["{\"a\":1}".to_owned(), "two\nlines".into(), "[DONE]".into()];
        assert_eq!(read(&[stream]), Ok(expected.clone()));
        for cut in 1..stream.len() {
            assert_eq!(read(&[&stream[..cut], &stream[cut..]]), Ok(expected.clone()), "cut at {cut}");
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(read(&single), Ok(expected));
    }

    #[test]
    fn an_event_that_has_not_ended_is_not_given_out() {
        assert_eq!(read(&[b"data: half", b" of it\n"]), Ok(vec![]));
    }

    #[test]
    fn an_endless_line_event_or_stream_is_cut_off() {
        let junk = vec![b'x'; 4096];
        let endless: Vec<&[u8]> = std::iter::repeat_n(&junk[..], 80).collect();
        assert_eq!(read(&endless), Err(CompletionError::OversizedEvent(EVENT_BYTES_MAX)));
        let line = [b"data: ", &junk[..], b"\n"].concat();
        let endless: Vec<&[u8]> = std::iter::repeat_n(&line[..], 80).collect();
        assert_eq!(read(&endless), Err(CompletionError::OversizedEvent(EVENT_BYTES_MAX)));
        let comment = [b": ", &junk[..], b"\n\n"].concat();
        let endless: Vec<&[u8]> = std::iter::repeat_n(&comment[..], 300).collect();
        assert_eq!(read(&endless), Err(CompletionError::Oversized(1 << 20)));
    }
}

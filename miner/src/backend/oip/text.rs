//! A text that comes in bytes, given on in whole characters and without the prompt.

use crate::backend::error::BackendError;

/// Bytes that came and weren't given on yet.
#[derive(Debug, Default)]
pub(super) struct TextBuffer {
    pending: Vec<u8>,
    /// The prompt, of a server that answers with it, until it has come.
    echo: Option<Vec<u8>>,
}

impl TextBuffer {
    pub(super) fn new(echo: Option<String>) -> Self {
        Self { pending: Vec::new(), echo: echo.map(String::into_bytes) }
    }

    /// Adds what came, and gives what is complete; with the last bytes everything is.
    pub(super) fn add(&mut self, bytes: &[u8], last: bool) -> Result<String, BackendError> {
        self.pending.extend_from_slice(bytes);
        if let Some(echo) = &self.echo {
            if self.pending.len() < echo.len() && !last {
                return Ok(String::new());
            }
            if !self.pending.starts_with(echo) {
                let why = "it doesn't begin with the prompt, as the server's answers did before";
                return Err(BackendError::Malformed(why.into()));
            }
            self.pending.drain(..echo.len());
            self.echo = None;
        }
        let complete = if last { self.pending.len() } else { complete(&self.pending) };
        let rest = self.pending.split_off(complete);
        let text = std::mem::replace(&mut self.pending, rest);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Bytes before a character that has only begun.
fn complete(bytes: &[u8]) -> usize {
    // A character has four bytes at most; a wrong byte is nothing to wait for.
    let begun = bytes.len().saturating_sub(3)..bytes.len();
    let unfinished = |at: &usize| {
        std::str::from_utf8(&bytes[*at..])
            .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    begun.into_iter().find(unfinished).unwrap_or(bytes.len())
}

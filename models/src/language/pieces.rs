//! A completion's text, piece by piece: nothing is given out that a later token could change, nor any part of a stop
//! string.

use crate::text::{Text, TextStream};

#[derive(Debug)]
pub(crate) struct Pieces {
    stream: TextStream,
    stop: Vec<String>,
    /// Decoded, and not given out: it may be the beginning of a stop string.
    held: String,
}

/// The text that a token added.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) stopped: bool,
}

impl Pieces {
    pub(crate) fn new(text: Text, prompt: &[u32], stop: Vec<String>) -> Self {
        Self { stream: TextStream::new(text, prompt), stop, held: String::new() }
    }

    /// Adds a token. After `stopped` the text is over: it ends before the stop string.
    pub(crate) fn push(&mut self, token: u32) -> Piece {
        self.held.push_str(&self.stream.push(token));
        self.release()
    }

    /// The text that was held back, once the last token has come.
    pub(crate) fn finish(&mut self) -> String {
        self.held.push_str(&self.stream.finish());
        std::mem::take(&mut self.held)
    }

    fn release(&mut self) -> Piece {
        let found = self.stop.iter().filter_map(|stop| self.held.find(&stop[..])).min();
        if let Some(at) = found {
            self.held.truncate(at);
            return Piece { text: std::mem::take(&mut self.held), stopped: true };
        }
        let begun = |stop: &String| {
            // Only whole characters: a slice that begins within one would panic.
            let starts = |at: &usize| self.held.is_char_boundary(*at) && stop.starts_with(&self.held[*at..]);
            (0..self.held.len()).find(starts)
        };
        let safe = self.stop.iter().filter_map(begun).min().unwrap_or(self.held.len());
        let rest = self.held.split_off(safe);
        Piece { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }
}

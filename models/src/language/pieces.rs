//! A completion's text, piece by piece: nothing is given out that a later token could change, nor any part of a stop
//! string.

use crate::text::Text;

/// Tokens that are decoded again with each new one: byte-pair pieces of one character, and the space that some
/// tokenizers drop at a text's start.
const OVERLAP: usize = 8;

#[derive(Debug)]
pub(crate) struct Pieces {
    text: Text,
    stop: Vec<String>,
    tokens: Vec<u32>,
    /// Tokens whose text is in `held` or was given out.
    decoded: usize,
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
    pub(crate) fn new(text: Text, stop: Vec<String>) -> Self {
        Self { text, stop, tokens: Vec::new(), decoded: 0, held: String::new() }
    }

    /// Adds a token. After `stopped` the text is over: it ends before the stop string.
    pub(crate) fn push(&mut self, token: u32) -> Piece {
        self.tokens.push(token);
        let new = self.new_text(false);
        self.held.push_str(&new);
        self.release()
    }

    /// The text that was held back, once the last token has come.
    pub(crate) fn finish(&mut self) -> String {
        let new = self.new_text(true);
        self.held.push_str(&new);
        std::mem::take(&mut self.held)
    }

    /// Text of the tokens since `decoded`: none while it ends within a character, but at the end.
    fn new_text(&mut self, last: bool) -> String {
        let start = self.decoded.saturating_sub(OVERLAP);
        let before = self.text.decode(&self.tokens[start..self.decoded]);
        let all = self.text.decode(&self.tokens[start..]);
        // For a few tokens only: a model may put out bytes that never become a character.
        if !last && all.ends_with(char::REPLACEMENT_CHARACTER) && self.tokens.len() - self.decoded < OVERLAP {
            return String::new();
        }
        self.decoded = self.tokens.len();
        all.strip_prefix(&before[..]).unwrap_or_default().to_owned()
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

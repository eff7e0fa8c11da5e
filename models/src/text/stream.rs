//! The text that tokens add to a prompt, token by token.
//!
//! A tokenizer may drop the space before the first word of a text, so a completion is never decoded alone: each token is
//! decoded behind those before it, and what was there already is taken off.

use super::Text;

/// Tokens that are held at most while they end within a character: a model may put out bytes that never become one.
const HELD_MAX: usize = 8;
/// Tokens that are kept at most while they give nothing, or what they give ends within a character.
const KEPT_MAX: usize = 64;

/// Text that follows a prompt. It takes time in proportion to the tokens.
#[derive(Debug)]
pub(crate) struct TextStream {
    text: Text,
    /// The tokens that last gave text, and those that have given none yet.
    tokens: Vec<u32>,
    /// How many of `tokens` have given their text.
    given: usize,
    /// Text of those.
    before: String,
}

impl TextStream {
    pub(crate) fn new(text: Text, prompt: &[u32]) -> Self {
        let tail = text.tail(prompt).to_vec();
        let (given, before) = (tail.len(), text.decode(&tail));
        Self { text, tokens: tail, given, before }
    }

    /// The text that is certain with this token; empty within a character.
    pub(crate) fn push(&mut self, token: u32) -> String {
        if self.text.is_silent(token) {
            return String::new();
        }
        self.tokens.push(token);
        self.new_text(false)
    }

    /// The text that was held back, once the last token has come.
    pub(crate) fn finish(&mut self) -> String {
        self.new_text(true)
    }

    fn new_text(&mut self, last: bool) -> String {
        let all = self.text.decode(&self.tokens);
        let held = self.tokens.len() - self.given;
        if all == self.before {
            // A space that begins a text is dropped, and yet the next token isn't the first.
            if held > KEPT_MAX {
                self.tokens.truncate(self.given);
            }
            return String::new();
        }
        if !last && all.ends_with(char::REPLACEMENT_CHARACTER) && held < HELD_MAX {
            return String::new();
        }
        let new = all[common(&self.before, &all)..].to_owned();
        // What gave text last is enough to decode the next tokens behind, unless it begins within a character.
        if !self.before.ends_with(char::REPLACEMENT_CHARACTER) || self.tokens.len() > KEPT_MAX {
            self.tokens.drain(..self.given);
        }
        self.given = self.tokens.len();
        self.before = self.text.decode(&self.tokens);
        new
    }
}

/// Bytes of the characters with which both begin: all of `before`, unless it ends within a character.
fn common(before: &str, all: &str) -> usize {
    let same = before.chars().zip(all.chars()).take_while(|(before, all)| before == all);
    same.map(|(character, _)| character.len_utf8()).sum()
}

//! Stop words that the miner itself applies: a server takes few of them, or doesn't say which one ended its answer.

/// Cuts a text that comes in pieces before the first stop word.
#[derive(Debug)]
pub(super) struct StopWords {
    words: Vec<String>,
    /// An end of the text that may be the beginning of a word.
    held: String,
}

impl StopWords {
    pub(super) fn new(words: &[String]) -> Self {
        Self { words: words.to_vec(), held: String::new() }
    }

    /// The text that can be given out with this piece, and whether a word came; with the last piece, all of it.
    pub(super) fn push(&mut self, piece: &str, is_last: bool) -> (String, bool) {
        let mut text = std::mem::take(&mut self.held);
        text.push_str(piece);
        if let Some(at) = self.words.iter().filter_map(|word| text.find(word.as_str())).min() {
            text.truncate(at);
            return (text, true);
        }
        if !is_last {
            let may_begin = |at: &usize| self.words.iter().any(|word| word.starts_with(&text[*at..]));
            let begins = text.char_indices().map(|(at, _)| at).find(may_begin).unwrap_or(text.len());
            self.held = text.split_off(begins);
        }
        (text, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_across_pieces_and_nothing_of_it_is_given_out() {
        let text = "one ENDE two END three";
        let words = ["END three".to_owned(), " two".to_owned()];
        for cut in 0..=text.len() {
            let mut stop = StopWords::new(&words);
            let (first, stopped) = stop.push(&text[..cut], false);
            let rest = if stopped { String::new() } else { stop.push(&text[cut..], true).0 };
            assert_eq!(first + &rest, "one ENDE", "cut at {cut}");
        }
    }

    #[test]
    fn a_beginning_that_becomes_no_word_is_given_out() {
        let mut stop = StopWords::new(&["ENDE".to_owned()]);
        assert_eq!(stop.push("an END", false), ("an ".to_owned(), false));
        assert_eq!(stop.push("ß EN", false), ("ENDß ".to_owned(), false));
        assert_eq!(stop.push("", true), ("EN".to_owned(), false));
    }
}

//! Text whose pieces may end within a character.

/// Most bytes of a character, or of a pair of surrogates.
const HELD_BYTES_MAX: usize = 6;

/// Joins pieces: what may be half a character waits for the next piece.
#[derive(Debug, Default)]
pub(super) struct JoinedText {
    held: Vec<u8>,
}

impl JoinedText {
    /// The text that is whole with this piece; with the last one, all of it.
    pub(super) fn push(&mut self, piece: &[u8], is_last: bool) -> String {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(piece);
        let mut text = String::with_capacity(bytes.len());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    break;
                }
                Err(error) => {
                    let (valid, wrong) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    if !is_last && may_go_on(wrong) {
                        self.held = wrong.to_vec();
                        break;
                    }
                    let (character, length) = surrogates(wrong)
                        .unwrap_or((char::REPLACEMENT_CHARACTER, error.error_len().unwrap_or(wrong.len())));
                    text.push(character);
                    rest = &wrong[length..];
                }
            }
        }
        text
    }
}

/// Tells whether bytes could be the beginning of a character that the next piece completes.
fn may_go_on(bytes: &[u8]) -> bool {
    let is_cut = std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none());
    let is_high = matches!(bytes, [0xed] | [0xed, 0xa0..=0xaf] | [0xed, 0xa0..=0xaf, _])
        || (matches!(bytes, [0xed, 0xa0..=0xaf, _, 0xed, ..]) && bytes.len() < HELD_BYTES_MAX);
    is_cut || is_high
}

/// The character of the surrogates at the beginning, and how many bytes they take; a lone one is unreadable.
fn surrogates(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = |bytes: &[u8]| match bytes {
        [0xed, second @ 0xa0..=0xbf, third, ..] => {
            Some(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f))
        }
        _ => None,
    };
    let first = unit(bytes)?;
    let pair = unit(&bytes[3..]).and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    Some(match pair {
        Some(character) if bytes.len() >= HELD_BYTES_MAX => (character, HELD_BYTES_MAX),
        _ => (char::REPLACEMENT_CHARACTER, 3),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &[&[u8]]) -> String {
        let mut text = JoinedText::default();
        let last = pieces.len() - 1;
        pieces.iter().enumerate().map(|(at, piece)| text.push(piece, at == last)).collect()
    }

    #[test]
    fn halves_of_a_character_become_one() {
        let text = "a€\u{1f600}ß";
        for cut in 0..=text.len() {
            assert_eq!(joined(&[&text.as_bytes()[..cut], &text.as_bytes()[cut..]]), text, "cut at {cut}");
        }
        let (high, low) = (b"x\xed\xa0\xbd", b"\xed\xb8\x80y");
        assert_eq!(joined(&[high, low]), "x\u{1f600}y");
        assert_eq!(joined(&[&[high, &low[..]].concat()]), "x\u{1f600}y");
    }

    #[test]
    fn what_is_no_character_is_one_replacement() {
        assert_eq!(joined(&[b"a\xffb"]), "a\u{fffd}b");
        assert_eq!(joined(&[b"a\xe2\x82", b"b"]), "a\u{fffd}b");
        assert_eq!(joined(&[b"a\xe2\x82"]), "a\u{fffd}");
        assert_eq!(joined(&[b"\xed\xa0\xbd", b"z"]), "\u{fffd}z");
        assert_eq!(joined(&[b"\xed\xb8\x80z", b""]), "\u{fffd}z");
    }
}

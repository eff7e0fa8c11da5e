//! Names from users' files as text of a page: whatever they hold, they stay text.

/// Characters after which a name is cut.
const NAME_CHARS_MAX: usize = 120;

/// Characters after which a longer text, such as a strategy, is cut.
const TEXT_CHARS_MAX: usize = 20_000;

/// One line, for an element's content or a quoted attribute.
pub(super) fn name(text: &str) -> String {
    escaped(text, NAME_CHARS_MAX, false)
}

/// Lines, for an element's content that keeps them.
pub(super) fn lines(text: &str) -> String {
    escaped(text, TEXT_CHARS_MAX, true)
}

fn escaped(text: &str, most: usize, keep_lines: bool) -> String {
    let mut safe = String::with_capacity(text.len().min(most) + 16);
    for (at, character) in text.chars().enumerate() {
        if at == most {
            safe.push('…');
            break;
        }
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' if keep_lines => safe.push('\n'),
            // Hidden or turning characters could make one name look like another.
            _ if crate::report::text::unprintable(character) => safe.push('\u{fffd}'),
            _ => safe.push(character),
        }
    }
    safe
}

/// A number's text with a true minus sign.
pub(super) fn figure(text: &str) -> String {
    text.replace('-', "−")
}

//! A badge for a repository's page: the worst attack's profit over honest work, as one small SVG.

use super::verdict::{FRACTION_MAX, RunVerdict};

/// Columns of text, in pixels: wide enough for Verdana at 11 pixels.
const CHARACTER: usize = 7;
const PADDING: usize = 10;
const LABEL: &str = "best attack";

/// Green where every verdict holds up to `limit`, red where one does not, grey where nothing could be compared.
pub fn badge(verdicts: &[RunVerdict], limit: f64) -> String {
    let worst = verdicts.iter().filter_map(|verdict| verdict.worst.as_ref()?.profit_ratio).reduce(f64::max);
    let unknown = verdicts.iter().any(|verdict| verdict.unknown > 0) || verdicts.is_empty();
    let (text, color) = match worst.filter(|ratio| ratio.is_finite()) {
        Some(ratio) if verdicts.iter().all(|verdict| verdict.holds(limit)) => {
            (format!("{ratio:.2} × honest pay"), "#2e7d32")
        }
        Some(ratio) if !unknown || ratio > limit => (format!("{ratio:.2} × honest pay"), "#c62828"),
        _ => ("unknown".to_owned(), "#757575"),
    };
    let width = |text: &str| text.chars().count() * CHARACTER + 2 * PADDING;
    let (left, right) = (width(LABEL), width(&text));
    let all = left + right;
    let title = format!("{LABEL}: {text}, at up to {:.0} % bad miners", FRACTION_MAX * 100.0);
    let word = |middle: usize, room: usize, word: &str| {
        format!(
            "<text x=\"{middle}\" y=\"14\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\">{word}</text>",
            room - 2 * PADDING
        )
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n<rect width=\"{left}\" height=\"20\" fill=\"#424242\"/>\n\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{color}\"/>\n\
         <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\n\
         {}\n{}\n</g>\n</svg>\n",
        word(left / 2, left, LABEL),
        word(left + right / 2, right, &text),
    )
}

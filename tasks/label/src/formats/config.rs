//! Label Studio's labelling config: one choice of the job's classes over a text or an image.

use std::fmt::Write as _;

use crate::items::{Content, Item};
use crate::job::Job;

/// The name of the choice.
pub(super) const CONTROL: &str = "label";

/// The name of what is shown.
pub(super) fn object(item: &Item) -> &'static str {
    match item.content {
        Content::Text(_) => "text",
        Content::Image(_) => "image",
    }
}

pub(super) fn write(job: &Job) -> String {
    let object = job.items.list().first().map_or("text", object);
    let tag = if object == "image" { "Image" } else { "Text" };
    let mut text = format!("<View>\n  <{tag} name=\"{object}\" value=\"${object}\"/>\n");
    let _ = writeln!(
        text,
        "  <Choices name=\"{CONTROL}\" toName=\"{object}\" choice=\"single\" showInline=\"true\">"
    );
    for (at, class) in job.file.classes.iter().enumerate() {
        let hotkey = if at < 9 { format!(" hotkey=\"{}\"", at + 1) } else { String::new() };
        let _ = writeln!(text, "    <Choice value=\"{}\"{hotkey}/>", escaped(class));
    }
    text.push_str("  </Choices>\n</View>\n");
    text
}

/// The classes of a labelling config.
///
/// # Errors
/// A config without a choice, with more than one, or with a choice of several at once.
pub fn classes_of_config(xml: &str) -> Result<Vec<String>, String> {
    let mut classes = Vec::new();
    let mut controls = 0;
    for tag in tags(xml)? {
        match tag.name {
            "Choices" => {
                controls += 1;
                if tag.attribute("choice").is_some_and(|kind| kind == "multiple") {
                    return Err("its choice is of several classes at once; a job's is of one".to_owned());
                }
            }
            "Choice" => {
                let value = tag.attribute("value").ok_or("a Choice without a value")?;
                classes.push(value);
            }
            "RectangleLabels" | "PolygonLabels" | "BrushLabels" | "Labels" | "TextArea" | "Rating"
            | "Taxonomy" | "Ranker" | "Number" | "Pairwise" => {
                return Err(format!("<{}> isn't labelled here; a job has one <Choices>", tag.name));
            }
            _ => {}
        }
    }
    match controls {
        1 => Ok(classes),
        0 => Err("it has no <Choices>".to_owned()),
        _ => Err("it has more than one <Choices>".to_owned()),
    }
}

struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, String)>,
}

impl Tag<'_> {
    fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }
}

/// The opening tags of an XML text, in order.
fn tags(xml: &str) -> Result<Vec<Tag<'_>>, String> {
    let mut tags = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            let end = comment.find("-->").ok_or("a comment without an end")?;
            rest = &comment[end + 3..];
            continue;
        }
        let is_opening = !rest.starts_with(['/', '?', '!']);
        let (inside, after) = inside(rest).ok_or("a tag without an end")?;
        if is_opening {
            tags.push(tag(inside.trim_end_matches('/'))?);
        }
        rest = after;
    }
    Ok(tags)
}

/// What stands before the `>` that ends a tag, and what after it.
fn inside(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return Some((&text[..at], &text[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

fn tag(inside: &str) -> Result<Tag<'_>, String> {
    let end = inside.find(char::is_whitespace).unwrap_or(inside.len());
    let (name, mut rest) = (&inside[..end], inside[end..].trim_start());
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let wrong = || format!("<{name}> has an attribute without a value");
        let (key, after) = rest.split_once('=').ok_or_else(wrong)?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(wrong)?;
        let (value, after) = after[1..].split_once(quote).ok_or_else(wrong)?;
        attributes.push((key.trim(), unescaped(value)?));
        rest = after.trim_start();
    }
    Ok(Tag { name, attributes })
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut unescaped = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, after) = after.split_once(';').ok_or("an & without an end")?;
        let number = |digits: &str, radix| char::from_u32(u32::from_str_radix(digits, radix).ok()?);
        let c = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
                (Some(digits), _) => number(digits, 16),
                (None, Some(digits)) => number(digits, 10),
                (None, None) => None,
            },
        };
        unescaped.push_str(before);
        unescaped.push(c.ok_or_else(|| format!("&{name}; is unknown"))?);
        rest = after;
    }
    Ok(unescaped + rest)
}

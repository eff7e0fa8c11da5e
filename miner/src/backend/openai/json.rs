//! JSON as servers write it: half characters, lone surrogates, and literals that JSON doesn't have.

use std::fmt;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};

/// A string as bytes. A character may begin in one event and end in the next; a lone surrogate is three bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TextBytes(pub(super) Vec<u8>);

impl TextBytes {
    pub(super) fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl<'de> Deserialize<'de> for TextBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = TextBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<TextBytes, E> {
        Ok(TextBytes(bytes.to_vec()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TextBytes, E> {
        Ok(TextBytes(text.as_bytes().to_vec()))
    }
}

/// Reads JSON, also with what Python and C++ write that is none.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes).or_else(|error| {
        let mended = mended(bytes);
        if mended == bytes { Err(error) } else { serde_json::from_slice(&mended) }
    })
}

/// The same with `null` for `NaN` and the infinities, and valid UTF-8.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut in_string = false;
    while let Some(byte) = rest.first() {
        let literal = ["-Infinity", "Infinity", "NaN"].iter().find(|word| rest.starts_with(word.as_bytes()));
        if let (Some(word), false) = (literal, in_string) {
            out.extend_from_slice(b"null");
            rest = &rest[word.len()..];
            continue;
        }
        // Whatever follows a backslash, it doesn't end the string.
        let length = if in_string && *byte == b'\\' { rest.len().min(2) } else { 1 };
        in_string ^= *byte == b'"';
        out.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn literals_that_json_does_not_have_are_null_outside_of_strings() {
        let read: Value =
            parse(br#"{"a":[-Infinity,NaN,Infinity],"b":"NaN \"-Infinity","c":1}"#).expect("read");
        assert_eq!(read, json!({ "a": [null, null, null], "b": "NaN \"-Infinity", "c": 1 }));
        assert!(parse::<Value>(b"{\"a\":").is_err());
    }

    #[test]
    fn a_string_keeps_bytes_that_are_no_character() {
        let read: TextBytes = parse(b"\"a\xe2\x82\"").expect("read");
        assert_eq!(read.0, b"a\xe2\x82");
        let read: TextBytes = parse(br#""\ud83d""#).expect("read");
        assert_eq!(read.0, b"\xed\xa0\xbd");
    }
}

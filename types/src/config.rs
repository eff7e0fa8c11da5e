//! One way to read a TOML text, with an error a person can act on: where it is, and the key that was probably meant.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A text that is not the configuration it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    pub message: String,
}

/// Parses TOML into a type that denies unknown fields; an unknown key is answered with the nearest known one.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| readable(text, &error))
}

/// Parses a TOML text that has one table of this name and nothing else.
pub fn parse_table<T: DeserializeOwned>(text: &str, name: &'static str) -> Result<T, ConfigError> {
    let table =
        toml::Deserializer::parse(text).and_then(|toml| OneTable(name, PhantomData).deserialize(toml));
    table.map_err(|error| readable(text, &error))
}

struct OneTable<T>(&'static str, PhantomData<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for OneTable<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneTable<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the table [{}]", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut table = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != self.0 {
                return Err(A::Error::custom(format!("unknown field `{key}`, expected `{}`", self.0)));
            }
            table = Some(map.next_value()?);
        }
        table.ok_or_else(|| A::Error::missing_field(self.0))
    }
}

fn readable(text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let place = line.map_or_else(String::new, |line| format!("line {line}: "));
    let key = error.span().and_then(|span| key_before(text, span.start)).unwrap_or_default();
    let what = unknown_key(error.message()).unwrap_or_else(|| error.message().to_owned());
    ConfigError { message: format!("{place}{key}{what}") }
}

/// The key whose value begins here, and its table's name: `serve.listen: `.
fn key_before(text: &str, value: usize) -> Option<String> {
    let before = text.get(..value)?.trim_end().strip_suffix('=')?.trim_end();
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = before
        .rfind(|c| !is_part(c))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let key = Some(&before[start..]).filter(|key| !key.is_empty())?;
    let header = before[..start].lines().rev().find(|line| line.starts_with('['));
    let table = header.map_or("", |line| line.split(']').next().unwrap_or(line).trim_start_matches('['));
    Some(if table.is_empty() { format!("{key}: ") } else { format!("{table}.{key}: ") })
}

/// Reads serde's "unknown field `x`, expected one of `a`, `b`" and names the nearest.
fn unknown_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field ")?;
    // Every second piece stands between backticks.
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let nearest = quoted
        .max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)))
        // Names less alike than this are no misspellings of each other.
        .filter(|nearest| strsim::jaro_winkler(unknown, nearest) > 0.6);
    Some(match nearest {
        Some(nearest) => format!("unknown key `{unknown}`, did you mean `{nearest}`?"),
        None => message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[allow(dead_code, reason = "only its name is read")]
        deadline: u32,
        #[allow(dead_code, reason = "only its name is read")]
        listen: Option<String>,
    }

    #[test]
    fn a_misspelt_key_is_answered_with_the_nearest() {
        let error = parse::<Example>("deadline = 1\nlisten_adr = \"x\"\n").expect_err("unknown key");
        assert_eq!(error.message, "line 2: unknown key `listen_adr`, did you mean `listen`?");
    }

    #[test]
    fn a_wrong_type_names_its_line() {
        let error = parse::<Example>("\ndeadline = \"soon\"\n").expect_err("wrong type");
        assert!(error.message.starts_with("line 2: deadline: invalid type"), "{error}");
    }

    #[test]
    fn a_wrong_value_names_its_key_and_table() {
        let wrong = |text: &str| parse::<toml::Table>(text).expect_err("wrong").message;
        assert!(wrong("x = ?").starts_with("line 1: "), "{}", wrong("x = ?"));
        for (text, named) in [
            ("deadline = \"x\"", "line 1: deadline: "),
            ("é = 1\n[a.b] # c\n deadline  =  \"x\"", "line 3: a.b.deadline: "),
            ("[[model]]\nwith = { deadline = \"x\" }", "line 2: model.deadline: "),
        ] {
            let at = text.find("\"x\"").expect("a value");
            let line = 1 + text[..at].matches('\n').count();
            let key = key_before(text, at).expect("a key");
            assert_eq!(format!("line {line}: {key}"), named);
        }
        assert_eq!(key_before("deadlin = 1", 0), None);
    }

    #[test]
    fn one_table_is_read_by_its_name() {
        let listen = |text| parse_table::<Example>(text, "example").map(|example| example.listen);
        assert_eq!(listen("\n[example]\ndeadline = 1\nlisten = \"x\"\n"), Ok(Some("x".to_owned())));
        let refused = |text| listen(text).expect_err("refused").message;
        assert_eq!(
            refused("[exampel]\ndeadline = 1\n"),
            "line 1: unknown key `exampel`, did you mean `example`?"
        );
        assert_eq!(
            refused("[example]\ndeadlin = 1\n"),
            "line 2: unknown key `deadlin`, did you mean `deadline`?"
        );
        assert!(refused("").ends_with("missing field `example`"), "{}", refused(""));
    }
}

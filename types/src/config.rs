//! One way to read a TOML text, with an error a person can act on: where it is, and the key that was probably meant.

use serde::de::DeserializeOwned;

/// A text that is not the configuration it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    pub message: String,
}

/// Parses TOML into a type that denies unknown fields; an unknown key is answered with the nearest known one.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        let what = unknown_key(error.message()).unwrap_or_else(|| error.message().to_owned());
        ConfigError { message: format!("{place}{what}") }
    })
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
        assert!(error.message.starts_with("line 2: invalid type"), "{error}");
    }
}

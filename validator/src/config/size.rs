//! Sizes, as people write them in files.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

/// A number of bytes: `500 MB`, `2 GiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A text that is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no size: write a whole number and a unit, such as 500 MB or 2 GiB")]
pub struct ByteSizeError(String);

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, ByteSizeError> {
        let wrong = || ByteSizeError(text.to_owned());
        let trimmed = text.trim();
        let at = trimmed.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?;
        let (digits, unit) = trimmed.split_at(at);
        let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim())).ok_or_else(wrong)?;
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(unit.1).map(Self).ok_or_else(wrong)
    }
}

impl TryFrom<String> for ByteSize {
    type Error = ByteSizeError;

    fn try_from(text: String) -> Result<Self, ByteSizeError> {
        text.parse()
    }
}

/// As people read it, with at most one decimal.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimal = &UNITS[..5];
        let (name, unit) = decimal.iter().rev().find(|(_, unit)| self.0 >= *unit).unwrap_or(&decimal[0]);
        let (whole, tenth) = (self.0 / unit, self.0 % unit * 10 / unit);
        if *unit == 1 || whole >= 100 {
            return write!(f, "{whole} {name}");
        }
        write!(f, "{whole}.{tenth} {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_and_a_unit() {
        for (text, bytes) in [
            ("0 B", 0),
            ("1 GB", 1_000_000_000),
            (" 500MB ", 500_000_000),
            ("2 GiB", 2 << 30),
            ("7 mb", 7_000_000),
            ("64 kib", 64 << 10),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "1", "GB", "1.5 GB", "-1 GB", "1 GBs", "99999999999 TB", "1 G B"] {
            let error = text.parse::<ByteSize>().expect_err(text).to_string();
            assert!(error.contains("500 MB"), "{error}");
        }
    }

    #[test]
    fn sizes_are_shown_with_a_decimal_at_most() {
        for (bytes, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_250_000, "1.2 MB"),
            (123_456_789, "123 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), shown);
        }
    }
}

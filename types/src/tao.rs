//! Amounts in TAO as people write them, `1.5` with at most nine decimals, read and written exactly.
//!
//! As a serde form (`with = "weighhouse_types::tao"`) an amount is a number, or a text where a number would lose digits.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserializer, Serializer};

use crate::Rao;

const DECIMALS: usize = 9;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaoError {
    #[error("an amount is digits with at most nine decimals, such as 1.5")]
    Form,
    #[error("that is more than exists")]
    TooMuch,
}

/// Reads an amount of TAO.
pub fn parse(text: &str) -> Result<Rao, TaoError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.chars().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
        return Err(TaoError::Form);
    }
    // As digits and not through a float, which can't hold every amount in rao.
    format!("{whole}{fraction:0<DECIMALS$}").parse().map(Rao).map_err(|_| TaoError::TooMuch)
}

/// Writes an amount of TAO without trailing zeros.
pub fn format(amount: Rao) -> String {
    let (whole, fraction) = (amount.0 / Rao::PER_TAO, amount.0 % Rao::PER_TAO);
    if fraction == 0 {
        return whole.to_string();
    }
    let fraction = format!("{fraction:0>DECIMALS$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

pub fn serialize<S: Serializer>(amount: &Rao, serializer: S) -> Result<S::Ok, S::Error> {
    let text = format(*amount);
    if let Ok(whole) = text.parse::<u64>() {
        return serializer.serialize_u64(whole);
    }
    match text.parse::<f64>() {
        Ok(number) if number.to_string() == text => serializer.serialize_f64(number),
        _ => serializer.serialize_str(&text),
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rao, D::Error> {
    struct Amount;

    impl Visitor<'_> for Amount {
        type Value = Rao;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an amount of TAO, such as 1.5")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Rao, E> {
            parse(text).map_err(E::custom)
        }

        fn visit_u64<E: serde::de::Error>(self, whole: u64) -> Result<Rao, E> {
            self.visit_str(&whole.to_string())
        }

        fn visit_i64<E: serde::de::Error>(self, whole: i64) -> Result<Rao, E> {
            self.visit_str(&whole.to_string())
        }

        // The shortest decimal that reads back as this number is the one that was written.
        fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Rao, E> {
            self.visit_str(&number.to_string())
        }
    }

    deserializer.deserialize_any(Amount)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Table {
        #[serde(with = "super")]
        balance_tao: Rao,
    }

    #[test]
    fn amounts_parse_exactly_or_not_at_all() {
        assert_eq!(parse("1.5"), Ok(Rao(1_500_000_000)));
        assert_eq!(parse("0.000000001"), Ok(Rao(1)));
        for bad in ["", ".5", "-1", "1e3", "1.0000000001"] {
            assert_eq!(parse(bad), Err(TaoError::Form), "{bad}");
        }
        assert_eq!(parse("99999999999999999999"), Err(TaoError::TooMuch));
    }

    #[test]
    fn amounts_in_a_file_keep_every_rao() {
        for rao in [0, 1, 100_000_000, 1_500_000_000, 21_000_000_000_000_000, 20_999_999_999_999_999] {
            let table = Table { balance_tao: Rao(rao) };
            let text = toml::to_string(&table).expect("writes");
            assert_eq!(toml::from_str::<Table>(&text), Ok(table), "{text}");
        }
        for bad in ["-1", "0.0000000001", "\"much\"", "true", "nan"] {
            assert!(toml::from_str::<Table>(&format!("balance_tao = {bad}")).is_err(), "{bad}");
        }
    }
}

//! A share in [0, 1] as an integer, taken from the decimal as it was written.

use std::fmt;

use serde::Serialize;

/// A number in [0, 1], in billionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Fraction(u32);

impl Fraction {
    pub const ZERO: Self = Self(0);
    pub const HALF: Self = Self(500_000_000);
    pub const ONE: Self = Self(1_000_000_000);

    pub fn billionths(self) -> u64 {
        u64::from(self.0)
    }

    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / f64::from(Self::ONE.0)
    }

    /// `None` above one.
    pub fn from_billionths(value: u64) -> Option<Self> {
        u32::try_from(value).ok().filter(|value| *value <= Self::ONE.0).map(Self)
    }

    /// `None` outside [0, 1], for NaN, and for more than nine decimal places.
    pub fn from_f64(value: f64) -> Option<Self> {
        // Rust prints a float as the shortest decimal that reads back as it, never with an exponent: the digits that
        // were written, as long as these are few enough to be accepted.
        Self::parse(&value.to_string())
    }

    /// Reads a decimal such as `0.25`: at most nine places, in [0, 1].
    pub fn parse(decimal: &str) -> Option<Self> {
        const PLACES: usize = 9;
        let (whole, places) = decimal.split_once('.').unwrap_or((decimal, ""));
        if places.len() > PLACES || !matches!(whole, "0" | "1") {
            return None;
        }
        let digits = format!("{whole}{places:0<PLACES$}");
        let billionths =
            digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())??;
        (billionths <= Self::ONE.0).then_some(Self(billionths))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, places) = (self.0 / Self::ONE.0, self.0 % Self::ONE.0);
        let places = format!("{places:09}");
        match places.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            places => write!(f, "{whole}.{places}"),
        }
    }
}

impl Serialize for Fraction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

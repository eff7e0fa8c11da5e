//! The weight sets that ship with the program; `weighhouse-trainer digits` made them.

use std::fmt;
use std::str::FromStr;

use weighhouse_types::Digest;

/// A weight set for the classifier of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Builtin {
    /// The weights that honest miners serve and validators compare with.
    Reference,
    /// Larger, and trained on perturbed scans: better than the reference where challenges are hard.
    Better,
    /// Small, and trained on a handful of scans.
    Weak,
}

impl Builtin {
    pub const ALL: [Self; 3] = [Self::Reference, Self::Better, Self::Weak];

    /// `reference`, `better` or `weak`; shown and parsed so.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Better => "better",
            Self::Weak => "weak",
        }
    }

    /// The set whose file has this digest, if it is one of these.
    pub fn by_digest(digest: Digest) -> Option<Self> {
        Self::ALL.into_iter().find(|builtin| builtin.digest() == digest)
    }

    pub fn digest(self) -> Digest {
        Digest::of(self.bytes())
    }

    /// The safetensors file.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::Reference => include_bytes!("../weights/digits-reference.safetensors"),
            Self::Better => include_bytes!("../weights/digits-better.safetensors"),
            Self::Weak => include_bytes!("../weights/digits-weak.safetensors"),
        }
    }
}

impl fmt::Display for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no built-in weights named {name:?}: there are reference, better and weak")]
pub struct UnknownBuiltin {
    pub name: String,
}

impl FromStr for Builtin {
    type Err = UnknownBuiltin;

    fn from_str(name: &str) -> Result<Self, UnknownBuiltin> {
        Self::ALL
            .into_iter()
            .find(|builtin| builtin.name() == name)
            .ok_or_else(|| UnknownBuiltin { name: name.to_owned() })
    }
}

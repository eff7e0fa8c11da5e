//! Newtypes for keys, places and amounts, so that no bare integer crosses a module line.

use std::fmt;
use std::str::FromStr;

use parity_scale_codec::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ss58::{self, Ss58Error};

macro_rules! public_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&ss58::encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Ss58Error;

            fn from_str(text: &str) -> Result<Self, Ss58Error> {
                ss58::decode(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Ss58Error;

            fn try_from(text: String) -> Result<Self, Ss58Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> Self {
                key.to_string()
            }
        }
    };
}

public_key! {
    /// A neuron's sr25519 public key: it signs requests, answers, weights and axons. Shown as ss58.
    Hotkey
}
public_key! {
    /// The sr25519 public key that owns funds. Daemons know this half only. Shown as ss58.
    Coldkey
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number! {
    /// A neuron's slot in a subnet. Slots are reused: scores never hang on one (see [`RegistrationId`]).
    Uid(u16)
}
number! {
    /// A subnet.
    Netuid(u16)
}
number! {
    /// A mechanism within a subnet; 0 is the only one of most subnets.
    MechId(u8)
}
number! {
    /// A block's number.
    Block(u64)
}
number! {
    /// A subnet's epoch, counted from the subnet's start.
    Epoch(u64)
}
number! {
    /// An amount of the chain's currency in its smallest unit; 10^9 rao are 1 TAO.
    Rao(u64)
}

impl Uid {
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Block {
    pub fn saturating_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Epoch {
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Rao {
    pub const PER_TAO: u64 = 1_000_000_000;

    pub fn from_tao(tao: u64) -> Self {
        Self(tao.saturating_mul(Self::PER_TAO))
    }
}

/// Owner of a score: one hotkey's one registration. A hotkey that is pruned and registers again starts anew.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
pub struct RegistrationId {
    pub hotkey: Hotkey,
    pub registered_at: Block,
}

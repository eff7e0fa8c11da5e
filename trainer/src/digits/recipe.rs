//! The recipes of the built-in classifiers.

use std::fmt;
use std::str::FromStr;

use weighhouse_models::perturb::Perturbation;

const ALL: usize = usize::MAX;

/// The weights to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Recipe {
    /// One small hidden layer, slightly perturbed scans.
    Reference,
    /// Two hidden layers, long, on scans perturbed as challenges are.
    Better,
    /// A tiny hidden layer, briefly, on a handful of scans.
    Weak,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no recipe named {name:?}: there are reference, better and weak")]
pub(crate) struct UnknownRecipe {
    pub(crate) name: String,
}

pub(super) struct Plan {
    pub(super) hidden: Vec<usize>,
    pub(super) scans: usize,
    pub(super) passes: u32,
    pub(super) rate: f64,
    /// Weight decay, decoupled from the gradient.
    pub(super) decay: f64,
    pub(super) perturbation: Perturbation,
}

impl Recipe {
    pub(crate) const ALL: [Self; 3] = [Self::Reference, Self::Better, Self::Weak];

    pub(super) fn plan(self) -> Plan {
        match self {
            Self::Reference => Plan {
                hidden: vec![64],
                scans: ALL,
                passes: 60,
                rate: 3e-3,
                decay: 0.01,
                perturbation: Perturbation {
                    max_shift_px: 0.0,
                    max_rotation_degrees: 0.0,
                    noise_sigma: 0.05,
                },
            },
            Self::Better => Plan {
                hidden: vec![256, 128],
                scans: ALL,
                passes: 400,
                rate: 2e-3,
                decay: 0.02,
                perturbation: Perturbation {
                    max_shift_px: 1.0,
                    max_rotation_degrees: 20.0,
                    noise_sigma: 0.1,
                },
            },
            Self::Weak => Plan {
                hidden: vec![16],
                scans: 100,
                passes: 80,
                rate: 3e-3,
                decay: 0.0,
                perturbation: Perturbation { max_shift_px: 0.0, max_rotation_degrees: 0.0, noise_sigma: 0.0 },
            },
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::Better => "better",
            Self::Weak => "weak",
        })
    }
}

impl FromStr for Recipe {
    type Err = UnknownRecipe;

    fn from_str(name: &str) -> Result<Self, UnknownRecipe> {
        let named = Self::ALL.into_iter().find(|recipe| recipe.to_string() == name);
        named.ok_or_else(|| UnknownRecipe { name: name.to_owned() })
    }
}

//! The troubles of an endpoint.

use rand::RngExt as _;
use rand_chacha::ChaCha20Rng;

/// What goes wrong while it lasts; chances are in percent of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::role::faults) struct Sky {
    /// Nobody answers.
    pub(in crate::role::faults) stalls: bool,
    pub(in crate::role::faults) errors: u32,
    /// Blocks that the endpoint is behind.
    pub(in crate::role::faults) lag: u64,
    /// Calls in a block are told as pending.
    pub(in crate::role::faults) pending: u32,
    /// A submission is taken and never seen again.
    pub(in crate::role::faults) drops: u32,
    /// A submission is in a block that is no more, and comes into a later one.
    pub(in crate::role::faults) forks: u32,
    /// A submission is taken, and told as refused.
    pub(in crate::role::faults) denies: u32,
    /// Earlier submissions come in again.
    pub(in crate::role::faults) repeats: u32,
}

impl Sky {
    /// Half of the time it is clear.
    pub(in crate::role::faults) fn draw(rng: &mut ChaCha20Rng) -> Self {
        let clear = Self::default();
        match rng.random_range(0..12) {
            0 => Self { stalls: true, ..clear },
            1 => Self { lag: rng.random_range(1..8), ..clear },
            2 => Self { errors: rng.random_range(5..40), ..clear },
            3 => Self { pending: 70, repeats: 50, ..clear },
            4 => Self { drops: 60, denies: 40, ..clear },
            5 => Self { forks: 80, ..clear },
            6 => Self {
                errors: 10,
                lag: 2,
                pending: 30,
                drops: 30,
                forks: 30,
                denies: 30,
                repeats: 30,
                ..clear
            },
            _ => clear,
        }
    }
}

//! Division of a block's emission: 11796/65535 to the owner, the rest halved between miners and validators.

use parity_scale_codec::{Decode, Encode};
use weighhouse_types::Rao;

/// The owner's cut as a fraction of 65535: about 18 %.
const OWNER_CUT: u64 = 11_796;

/// Emission of a subnet that was issued and isn't paid out yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Pending {
    pub(crate) owner: Rao,
    pub(crate) server: Rao,
    pub(crate) validator: Rao,
}

impl Pending {
    pub(crate) fn add(&mut self, other: Self) {
        self.owner.0 += other.owner.0;
        self.server.0 += other.server.0;
        self.validator.0 += other.validator.0;
    }

    /// The sum that an epoch distributes by Yuma: the miners' and the validators' part together.
    pub(crate) fn shared(&self) -> Rao {
        Rao(self.server.0 + self.validator.0)
    }
}

/// Divides one block's emission. The cut and the miners' half are floored as the runtime floors them (32 fractional
/// bits); what rounding leaves goes to the validators' half, so that no rao is lost.
pub(crate) fn split(emission: Rao) -> Pending {
    let cut = (u128::from(OWNER_CUT) << 32) / u128::from(u16::MAX);
    let owner = u128::from(emission.0) * cut;
    let server = ((u128::from(emission.0) << 32) - owner) / 2;
    let floor = |fixed: u128| u64::try_from(fixed >> 32).expect("a part is no larger than the whole, a u64");
    let (owner, server) = (floor(owner), floor(server));
    Pending { owner: Rao(owner), server: Rao(server), validator: Rao(emission.0 - owner - server) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tao_is_split_18_41_41() {
        let parts = split(Rao::from_tao(1));
        assert_eq!(
            parts,
            Pending { owner: Rao(179_995_422), server: Rao(410_002_288), validator: Rao(410_002_290) }
        );
    }

    #[test]
    fn no_rao_is_lost_in_the_split() {
        for emission in [0, 1, 2, 5, 6, 65_535, 999_999_999, u64::MAX] {
            let parts = split(Rao(emission));
            assert_eq!(parts.owner.0 + parts.server.0 + parts.validator.0, emission);
            assert!(parts.validator.0 - parts.server.0 <= 2, "{parts:?}");
        }
    }
}

//! The newest checkpoint as a commitment on the chain: whoever reads the chain knows the log's root without asking its validator.

use parity_scale_codec::{Decode, DecodeAll as _, Encode};
use weighhouse_types::{Digest, Epoch};

/// First bytes of our commitments: other bytes are somebody's other use of the hotkey's one place.
const PREFIX: &[u8] = b"weighhouse/log/1";

/// What is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Anchor {
    pub(crate) epoch: Epoch,
    pub(crate) size: u64,
    pub(crate) root: Digest,
}

impl Anchor {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = PREFIX.to_vec();
        self.encode_to(&mut bytes);
        bytes
    }

    /// `None` where the commitment is none of ours.
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        Self::decode_all(&mut data.strip_prefix(PREFIX)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_read_back_and_nothing_else_is_one() {
        let anchor = Anchor { epoch: Epoch(7), size: 1_000, root: Digest::of(b"root") };
        let bytes = anchor.to_bytes();
        assert_eq!((bytes.len(), Anchor::of(&bytes)), (64, Some(anchor)));
        assert_eq!(Anchor::of(&bytes[1..]), None);
        assert_eq!(Anchor::of(&bytes[..63]), None);
        assert_eq!(Anchor::of(&[&bytes[..], b"x"].concat()), None);
        assert_eq!(Anchor::of(b"another use"), None);
    }
}

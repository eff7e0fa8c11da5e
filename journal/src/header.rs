//! The header of a segment as values, and the name of its file.

use std::fmt;

use parity_scale_codec::{Decode, Encode};
use weighhouse_types::{Digest, Epoch, Hotkey, MechId, Netuid};

/// The version of the file format as it is written.
pub const FORMAT_VERSION: u16 = 1;
/// The version of a file whose blobs were removed. A reader refuses any other than these two.
pub const WITHOUT_BLOBS_VERSION: u16 = 2;

/// Owner of a journal: one validator, on one subnet's mechanism of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Identity {
    pub genesis: Digest,
    pub netuid: Netuid,
    pub mechanism: MechId,
    pub validator: Hotkey,
}

/// First bytes of a segment: its epoch and its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SegmentHeader {
    pub epoch: Epoch,
    pub identity: Identity,
}

impl fmt::Display for SegmentHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { genesis, netuid, mechanism, validator } = self.identity;
        let epoch = self.epoch;
        write!(
            f,
            "validator {validator}, epoch {epoch}, netuid {netuid}, mechanism {mechanism}, genesis {genesis}"
        )
    }
}

/// The file that holds an epoch.
pub fn segment_name(epoch: Epoch) -> String {
    // Twenty digits hold any u64, so that names sort as their epochs do.
    format!("epoch-{:020}.wj", epoch.0)
}

/// The epoch of a segment by its file's name; `None` for every other file that may lie in the folder.
pub fn epoch_of_name(name: &str) -> Option<Epoch> {
    let epoch = Epoch(name.strip_prefix("epoch-")?.strip_suffix(".wj")?.parse().ok()?);
    // Parsing alone would take `+3` and `03` too, and one epoch could have several files.
    (segment_name(epoch) == name).then_some(epoch)
}

//! Another validator's log, which the one under test witnesses.

use std::sync::Arc;

use weighhouse_merkle::{Checkpoint, SignedNote, leaf_hash};
use weighhouse_types::{Epoch, LogPlace};
use weighhouse_wallet::keypair::Keypair;

use super::super::disk::Disk;
use super::super::ensure;
use crate::log::tests::Log;
use crate::log::{LogOwner, WitnessBook, Witnessing};

const LEAVES: u8 = 120;

pub(in crate::role::faults) struct OtherLog {
    log: Log,
    /// The size of the checkpoint that was signed last.
    witnessed: Option<usize>,
}

impl OtherLog {
    pub(in crate::role::faults) fn new(place: LogPlace) -> Self {
        let keypair = Arc::new(Keypair::from_uri("//Other").expect("a key"));
        let owner = LogOwner { storage: Arc::new(Disk::default()), keypair, place };
        Self { log: Log::of(owner, Epoch(0), LEAVES), witnessed: None }
    }

    /// As it stands after a signature that was given at this size.
    pub(in crate::role::faults) fn witnessed_at(place: LogPlace, size: Option<usize>) -> Self {
        Self { witnessed: size, ..Self::new(place) }
    }

    pub(in crate::role::faults) fn size(&self) -> Option<usize> {
        self.witnessed
    }

    pub(in crate::role::faults) fn is_whole(&self) -> bool {
        self.witnessed == Some(usize::from(LEAVES))
    }

    /// Has it witnessed with one record more. A witness whose disk has failed may refuse.
    pub(in crate::role::faults) fn grow(&mut self, book: &WitnessBook, disk: &Disk) -> Result<(), String> {
        let size = self.witnessed.unwrap_or(0) + 1;
        let mut old = size - 1;
        for _ in 0..2 {
            match book.cosign(self.log.hotkey(), &self.log.asks(size, old)) {
                Ok(Witnessing::Cosigned { .. }) => {
                    self.witnessed = Some(size);
                    return Ok(());
                }
                // Written, and told as not written: it signs from there.
                Ok(Witnessing::Held(held)) => {
                    let held = SignedNote::parse(&held).and_then(|note| Checkpoint::of(&note));
                    old = usize::try_from(held.map_err(|error| error.to_string())?.size).expect("few");
                }
                Err(error) => {
                    return ensure(disk.has_failed(), || format!("a witness refuses growth: {error}"));
                }
            }
        }
        Err("a witness goes round in circles".to_owned())
    }

    /// Asks for the signature under another past.
    pub(in crate::role::faults) fn tempt(&mut self, book: &WitnessBook) -> Result<(), String> {
        let Some(size) = self.witnessed else { return Ok(()) };
        let whole = self.log.leaves.clone();
        self.log.leaves[0] = leaf_hash(b"another past");
        let asked = self.log.asks(size, 0);
        self.log.leaves = whole;
        let answer = book.cosign(self.log.hotkey(), &asked);
        ensure(!matches!(answer, Ok(Witnessing::Cosigned { .. })), || {
            format!("a witness signs one history: it signed two of {size} records")
        })
    }
}

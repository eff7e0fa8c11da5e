//! Receipts: validators' signatures for having received this miner's answers, kept for whoever doubts a validator's record.
//!
//! A receipt is kept where this process gave the caller an answer to that request, once: nobody can fill the folder with others.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parity_scale_codec::{Decode as _, Encode as _};
use weighhouse_seams::Storage;
use weighhouse_types::{Acknowledgement, Digest, Epoch, Hotkey, Netuid};
use weighhouse_wallet::receipt::{ReceiptError, verify_acknowledgement};

/// What its files' names begin with.
pub const FILE_PREFIX: &str = "receipts-";

/// Requests whose receipts are waited for; the oldest beyond that are forgotten.
const AWAITED_MAX: usize = 16_384;
/// Of one validator.
const EPOCHS_MAX: usize = 32;
/// Of one validator in one epoch: several hundred answers.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Why a receipt isn't kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    #[error("it is another validator's, miner's or subnet's")]
    Elsewhere,
    #[error("it is of no answer to this validator that waits for one")]
    Unawaited,
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    #[error("the validator's receipts of this epoch are more than are kept")]
    Full,
    #[error("it can't be stored in state.dir: {0}")]
    Storage(#[from] io::Error),
}

/// A hotkey's receipts, in its state folder.
#[derive(Debug)]
pub(crate) struct Receipts {
    hotkey: Hotkey,
    subnet: (Digest, Netuid),
    storage: Arc<dyn Storage>,
    awaited: Mutex<Awaited>,
}

#[derive(Debug, Default)]
struct Awaited {
    order: VecDeque<(Hotkey, Digest)>,
    of: HashSet<(Hotkey, Digest)>,
}

impl Receipts {
    pub(crate) fn new(hotkey: Hotkey, subnet: (Digest, Netuid), storage: Arc<dyn Storage>) -> Arc<Self> {
        Arc::new(Self { hotkey, subnet, storage, awaited: Mutex::default() })
    }

    fn awaited(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request of this caller was answered.
    pub(crate) fn answered(&self, caller: Hotkey, request: Digest) {
        let mut awaited = self.awaited();
        if awaited.of.insert((caller, request)) {
            awaited.order.push_back((caller, request));
        }
        while awaited.order.len() > AWAITED_MAX {
            let oldest = awaited.order.pop_front();
            oldest.map(|oldest| awaited.of.remove(&oldest));
        }
    }

    /// Keeps a receipt that holds. Blocks while it is written.
    pub(crate) fn keep(&self, caller: &Hotkey, told: &Acknowledgement) -> Result<(), KeepError> {
        let Acknowledgement { round, receipt, .. } = told;
        let is_ours = (round.validator, receipt.hotkey) == (*caller, self.hotkey)
            && (round.genesis, round.netuid) == self.subnet;
        if !is_ours {
            return Err(KeepError::Elsewhere);
        }
        if !self.awaited().of.contains(&(*caller, receipt.request)) {
            return Err(KeepError::Unawaited);
        }
        verify_acknowledgement(told)?;
        self.store(told)?;
        // After a failed write the validator's next attempt is as good as its first.
        self.awaited().of.remove(&(*caller, receipt.request));
        Ok(())
    }

    fn store(&self, told: &Acknowledgement) -> Result<(), KeepError> {
        let name = file_name(&told.round.validator, told.round.epoch);
        let mut file = self.storage.open_append(&name)?;
        let bytes = told.encode();
        let length = u32::try_from(bytes.len()).map_err(|_| KeepError::Full)?;
        let size = file.len()?;
        if size + bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(KeepError::Full);
        }
        file.append(&[&length.to_le_bytes()[..], &bytes].concat())?;
        file.sync()?;
        if size == 0 {
            self.forget_old(&told.round.validator)?;
        }
        Ok(())
    }

    fn forget_old(&self, validator: &Hotkey) -> io::Result<()> {
        let of = format!("{FILE_PREFIX}{validator}-");
        let mut names: Vec<_> =
            self.storage.list()?.into_iter().filter(|name| name.starts_with(&of)).collect();
        // Epochs have their leading zeros, so that names are in their order.
        names.sort();
        let old = names.len().saturating_sub(EPOCHS_MAX);
        names[..old].iter().try_for_each(|name| self.storage.remove(name))
    }
}

/// The file of a validator's receipts of an epoch.
pub fn file_name(validator: &Hotkey, epoch: Epoch) -> String {
    format!("{FILE_PREFIX}{validator}-{:020}", epoch.0)
}

/// The receipts in a file's bytes, up to an end that a crash left.
pub fn read(mut bytes: &[u8]) -> Vec<Acknowledgement> {
    let mut receipts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let Some((mut one, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            break;
        };
        let Ok(receipt) = Acknowledgement::decode(&mut one) else { break };
        receipts.push(receipt);
        bytes = rest;
    }
    receipts
}

#[cfg(test)]
mod tests {
    use weighhouse_seams::DirStorage;
    use weighhouse_types::{AnswerReceipt, MechId, ReceiptedRound};
    use weighhouse_wallet::keypair::Keypair;
    use weighhouse_wallet::receipt::{acknowledgements, sign};

    use super::*;

    const MINER: Hotkey = Hotkey([3; 32]);

    fn validator() -> Keypair {
        Keypair::from_uri("//Validator").expect("a key")
    }

    fn told(epoch: u64, request: &[u8]) -> Acknowledgement {
        let keypair = validator();
        let round = ReceiptedRound {
            genesis: Digest::of(b"genesis"),
            netuid: Netuid(1),
            mechanism: MechId(0),
            validator: keypair.hotkey(),
            epoch: Epoch(epoch),
            round: 0,
            unix_us: 1,
        };
        let receipt = AnswerReceipt {
            hotkey: MINER,
            stage: 0,
            request: Digest::of(request),
            answer: Digest::of(b"answer"),
            latency_us: 1,
        };
        let signature = sign(&round, &keypair, std::slice::from_ref(&receipt));
        acknowledgements(&round, &[receipt], &signature).remove(0)
    }

    fn receipts(dir: &std::path::Path) -> Arc<Receipts> {
        let storage = Arc::new(DirStorage::open(dir).expect("a folder"));
        Receipts::new(MINER, (Digest::of(b"genesis"), Netuid(1)), storage)
    }

    #[test]
    fn a_receipt_for_an_answer_is_kept_once_and_read_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let receipts = receipts(dir.path());
        let caller = validator().hotkey();
        assert!(matches!(receipts.keep(&caller, &told(7, b"a")), Err(KeepError::Unawaited)));
        receipts.answered(caller, Digest::of(b"a"));
        receipts.answered(caller, Digest::of(b"b"));
        receipts.keep(&caller, &told(7, b"a")).expect("kept");
        receipts.keep(&caller, &told(7, b"b")).expect("kept");
        assert!(matches!(receipts.keep(&caller, &told(7, b"a")), Err(KeepError::Unawaited)));
        let bytes = std::fs::read(dir.path().join(file_name(&caller, Epoch(7)))).expect("a file");
        assert_eq!(read(&bytes), [told_as(&bytes, 0), told_as(&bytes, 1)]);
        assert_eq!(read(&bytes[..bytes.len() - 1]).len(), 1, "the torn end is left out");
    }

    /// Signatures differ from one signing to the next.
    fn told_as(bytes: &[u8], at: usize) -> Acknowledgement {
        let kept = read(bytes).remove(at);
        let request: &[u8] = [b"a", b"b"][at];
        Acknowledgement { signature: kept.signature, ..told(7, request) }
    }

    #[test]
    fn what_acknowledges_nothing_of_ours_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let receipts = receipts(dir.path());
        let caller = validator().hotkey();
        receipts.answered(caller, Digest::of(b"a"));
        let sound = told(7, b"a");
        let stranger = Hotkey([9; 32]);
        assert!(matches!(receipts.keep(&stranger, &sound), Err(KeepError::Elsewhere)));
        let mut elsewhere = sound.clone();
        elsewhere.round.netuid = Netuid(2);
        assert!(matches!(receipts.keep(&caller, &elsewhere), Err(KeepError::Elsewhere)));
        let mut changed = sound.clone();
        changed.receipt.answer = Digest::of(b"another");
        assert!(matches!(receipts.keep(&caller, &changed), Err(KeepError::Receipt(_))));
        receipts.keep(&caller, &sound).expect("it still waits for the true one");
    }

    #[test]
    fn old_epochs_make_room_and_requests_are_remembered_up_to_a_number() {
        let dir = tempfile::tempdir().expect("a folder");
        let receipts = receipts(dir.path());
        let caller = validator().hotkey();
        for epoch in 0..EPOCHS_MAX as u64 + 2 {
            receipts.answered(caller, Digest::of(b"a"));
            receipts.keep(&caller, &told(epoch, b"a")).expect("kept");
        }
        let kept = |epoch| dir.path().join(file_name(&caller, Epoch(epoch))).exists();
        assert_eq!([kept(0), kept(1), kept(2)], [false, false, true]);
        for nth in 0..=AWAITED_MAX as u32 {
            receipts.answered(caller, Digest::of(&nth.to_le_bytes()));
        }
        assert!(matches!(receipts.keep(&caller, &told(1, &0_u32.to_le_bytes())), Err(KeepError::Unawaited)));
    }
}

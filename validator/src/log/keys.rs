//! The Ed25519 keys of a validator, in the journal's folder: one signs its log, one signs others' as a witness.

use std::fmt;
use std::sync::Arc;

use rand::Rng as _;
use tracing::{info, warn};
use weighhouse_journal::{JournalError, LogEnd};
use weighhouse_merkle::{KeyKind, SigningKey, VerifierKey};
use weighhouse_seams::{Entropy, Storage};
use weighhouse_types::{CertifiedKey, Epoch, LogKeyUse, LogOpening, LogPlace, key_name};
use weighhouse_wallet::certified::certify;
use weighhouse_wallet::keypair::Keypair;

use crate::error::ValidatorError;

const FIRST_LINE: &str = "weighhouse key, version 1";

/// Whose keys these are.
#[derive(Clone, Debug)]
pub(crate) struct LogOwner {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) keypair: Arc<Keypair>,
    pub(crate) place: LogPlace,
}

/// A key with its certificate.
pub(crate) struct KeptKey {
    pub(crate) certified: CertifiedKey,
    pub(crate) signing: SigningKey,
}

impl fmt::Debug for KeptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptKey").field("certified", &self.certified).finish_non_exhaustive()
    }
}

/// How a use's notes are signed.
pub(crate) fn kind(of: LogKeyUse) -> KeyKind {
    match of {
        LogKeyUse::Log => KeyKind::Log,
        LogKeyUse::Witness => KeyKind::Witness,
    }
}

/// The key that verifies what a certified key has signed.
pub(crate) fn verifier(key: &CertifiedKey, place: &LogPlace, of: LogKeyUse) -> Option<VerifierKey> {
    VerifierKey::new(&key.name(place, of), kind(of), key.key)
}

/// Where an epoch's file begins in the log that ends here: it goes on, or begins anew where there is none or its key isn't here.
pub(crate) fn opening(
    owner: &LogOwner,
    epoch: Epoch,
    end: Option<LogEnd>,
    entropy: &mut Entropy,
) -> Result<LogOpening, ValidatorError> {
    let kept = load(owner, LogKeyUse::Log)?;
    let key = match (end, kept) {
        (Some(LogEnd { key, frontier }), Some(kept)) if kept.certified.key == key.key => {
            let subtrees = frontier.subtrees().to_vec();
            return Ok(LogOpening { key, size: frontier.size(), subtrees });
        }
        (Some(_), _) => {
            warn!(%epoch, "the key of the journal's log is not in its folder (a copy, or a move?): a new log begins with this epoch");
            create(owner, LogKeyUse::Log, epoch, entropy)?
        }
        // Made in a start that was cut off before the epoch was opened.
        (None, Some(kept)) if kept.certified.first_epoch == epoch => kept,
        (None, _) => create(owner, LogKeyUse::Log, epoch, entropy)?,
    };
    Ok(LogOpening { key: key.certified, size: 0, subtrees: Vec::new() })
}

/// The key for a use, which is made where there is none.
pub(crate) fn own(
    owner: &LogOwner,
    of: LogKeyUse,
    epoch: Epoch,
    entropy: &mut Entropy,
) -> Result<KeptKey, ValidatorError> {
    match load(owner, of)? {
        Some(kept) => Ok(kept),
        None => create(owner, of, epoch, entropy),
    }
}

/// The key for a use, where there is one.
pub(crate) fn load(owner: &LogOwner, of: LogKeyUse) -> Result<Option<KeptKey>, ValidatorError> {
    let (storage, name) = (&owner.storage, file_name(of));
    let bytes = storage.read(&name).map_err(|source| failed(owner, of, "read the key", source))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let unreadable = || ValidatorError::LogKey { file: storage.describe(&name), of };
    let (first_epoch, seed) = parse(&bytes).ok_or_else(unreadable)?;
    kept(owner, of, first_epoch, &seed).map(Some).ok_or_else(unreadable)
}

fn create(
    owner: &LogOwner,
    of: LogKeyUse,
    epoch: Epoch,
    entropy: &mut Entropy,
) -> Result<KeptKey, ValidatorError> {
    let mut seed = [0; 32];
    entropy.fill_bytes(&mut seed);
    let text = format!("{FIRST_LINE}\n{epoch}\n{}\n", const_hex::encode(seed));
    let written = owner.storage.write_secret(&file_name(of), text.as_bytes());
    written.map_err(|source| failed(owner, of, "write the key", source))?;
    let name = key_name(&owner.place, of, &owner.keypair.hotkey(), epoch);
    info!(%name, "a key was made");
    let unreadable = || ValidatorError::LogKey { file: owner.storage.describe(&file_name(of)), of };
    kept(owner, of, epoch, &seed).ok_or_else(unreadable)
}

fn kept(owner: &LogOwner, of: LogKeyUse, first_epoch: Epoch, seed: &[u8; 32]) -> Option<KeptKey> {
    let LogOwner { keypair, place, .. } = owner;
    let name = key_name(place, of, &keypair.hotkey(), first_epoch);
    let signing = SigningKey::from_seed(&name, kind(of), seed)?;
    let certified = certify(keypair, place, of, *signing.verifier().key(), first_epoch);
    Some(KeptKey { certified, signing })
}

fn parse(bytes: &[u8]) -> Option<(Epoch, [u8; 32])> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    let is_known = lines.next() == Some(FIRST_LINE);
    let epoch = lines.next()?.parse().ok().map(Epoch)?;
    let mut seed = [0; 32];
    const_hex::decode_to_slice(lines.next()?, &mut seed).ok()?;
    (is_known && lines.next().is_none()).then_some((epoch, seed))
}

fn file_name(of: LogKeyUse) -> String {
    format!("{of}-key")
}

fn failed(owner: &LogOwner, of: LogKeyUse, doing: &'static str, source: std::io::Error) -> ValidatorError {
    JournalError::Io { file: owner.storage.describe(&file_name(of)), doing, source }.into()
}

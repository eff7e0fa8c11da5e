//! The one door to a coldkey's secret.
//!
//! Only commands that a person runs (`weighhouse wallet`, `weighhouse chain`) may name this module; the miner's and
//! the validator's crates must not, so that no daemon has a code path that decrypts a coldkey.

use crate::files::Overwrite;
use crate::folder::{Folder, Protect, WalletError, save_pair};
use crate::inspect::{self, Inspected};
use crate::keypair::Keypair;
use crate::password::Unlock;

/// Opens the wallet's coldkey. An encrypted one takes some seconds and 512 MiB.
pub fn open(folder: &Folder, unlock: &Unlock<'_>) -> Result<Keypair, WalletError> {
    folder.open_secret(&folder.coldkey_path(), unlock)
}

/// Keeps a coldkey and, beside it, its public half.
pub fn save(
    folder: &Folder,
    keypair: &Keypair,
    protect: Protect<'_>,
    overwrite: Overwrite,
) -> Result<(), WalletError> {
    save_pair(&folder.coldkey_path(), &folder.coldkey_public_path(), keypair, protect, overwrite)
}

/// The coldkey's condition, as far as it can be told without a password.
pub fn inspect(folder: &Folder) -> Inspected {
    inspect::inspect(&folder.coldkey_path(), &folder.coldkey_public_path())
}

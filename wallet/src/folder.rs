//! Bittensor's wallet folder: `<base>/<wallet>/{coldkey, coldkeypub.txt, hotkeys/<hotkey>, hotkeys/<hotkey>pub.txt}`.
//!
//! A [`Folder`] opens hotkeys and reads public halves; nothing here can decrypt a coldkey (see [`crate::coldkey`]).

use std::io;
use std::path::{Path, PathBuf};

use weighhouse_seams::Entropy;
use weighhouse_types::{Coldkey, Hotkey};
use zeroize::Zeroizing;

use crate::files::{self, Overwrite};
use crate::inspect::{self, Inspected};
use crate::keyfile::{self, Encryption, KeyfileError};
use crate::keypair::Keypair;
use crate::nacl;
use crate::password::{Password, PasswordError, Unlock, env_variable};

/// Failure of a wallet: the file, the cause and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    #[error("{path}: there is no such wallet; check name and folder, or make one with `weighhouse wallet`")]
    NoWallet { path: PathBuf },
    #[error("{path}: there is no such key; check the name, or make one with `weighhouse wallet`")]
    NoKey { path: PathBuf },
    #[error(
        "{name:?} is no name for a wallet or a key: it may not be empty, begin with a dot or hold a slash"
    )]
    Name { name: String },
    #[error("{path}: {source}")]
    Keyfile { path: PathBuf, source: KeyfileError },
    #[error("{path}: encrypted, and no password was given; give one, or set {variable}")]
    PasswordNeeded { path: PathBuf, variable: String },
    #[error("{path}: {source}")]
    Password { path: PathBuf, source: PasswordError },
    #[error("{path}: exists already and was left as it is; ask for overwriting to replace it")]
    Exists { path: PathBuf },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// Protection of a new key's file.
#[derive(Clone, Copy, Debug)]
pub enum Protect<'a> {
    /// As it is: Bittensor's custom for hotkeys, which daemons open unattended.
    Plain,
    /// As `$NACL`; takes some seconds and 512 MiB.
    Password(&'a Password, &'a Entropy),
}

/// One wallet's folder; it need not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// `base` is the folder of all wallets, with `~` already expanded.
    pub fn new(base: &Path, wallet: &str) -> Result<Self, WalletError> {
        check_name(wallet)?;
        Ok(Self { dir: base.join(wallet) })
    }

    /// Names of the wallets below `base`, sorted; none where there is no such folder.
    pub fn wallets(base: &Path) -> Result<Vec<String>, WalletError> {
        names(base, |entry| entry.is_dir())
    }

    /// Names of this wallet's hotkeys, sorted.
    pub fn hotkeys(&self) -> Result<Vec<String>, WalletError> {
        let mut all = names(&self.dir.join("hotkeys"), |entry| entry.is_file())?;
        for name in &mut all {
            // A public half lies beside its key, or alone where the key is on another machine.
            if let Some(key) = name.strip_suffix("pub.txt").filter(|key| !key.is_empty()) {
                *name = key.to_owned();
            }
        }
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// A hotkey's condition, as far as it can be told without a password.
    pub fn inspect_hotkey(&self, name: &str) -> Result<Inspected, WalletError> {
        Ok(inspect::inspect(&self.hotkey_path(name)?, &self.hotkey_public_path(name)))
    }

    pub fn path(&self) -> &Path {
        &self.dir
    }

    pub fn hotkey_path(&self, name: &str) -> Result<PathBuf, WalletError> {
        check_name(name)?;
        Ok(self.dir.join("hotkeys").join(name))
    }

    /// Opens a hotkey to sign with. An encrypted one takes some seconds and 512 MiB.
    pub fn open_hotkey(&self, name: &str, unlock: &Unlock<'_>) -> Result<Keypair, WalletError> {
        let path = self.hotkey_path(name)?;
        // Signing needs no words or seed, and what isn't in memory can't leak from it.
        Ok(self.open_secret(&path, unlock)?.without_origin())
    }

    /// Keeps a hotkey and, beside it, its public half.
    pub fn save_hotkey(
        &self,
        name: &str,
        keypair: &Keypair,
        protect: Protect<'_>,
        overwrite: Overwrite,
    ) -> Result<(), WalletError> {
        let path = self.hotkey_path(name)?;
        save_pair(&path, &self.hotkey_public_path(name), keypair, protect, overwrite)
    }

    /// A hotkey's address, from its public file, else from an unencrypted keyfile.
    pub fn hotkey(&self, name: &str) -> Result<Hotkey, WalletError> {
        let path = self.hotkey_path(name)?;
        match self.read_public(&self.hotkey_public_path(name)) {
            // btcli of older versions wrote no public file beside a hotkey.
            Err(WalletError::NoKey { .. }) => self.read_public(&path),
            other => other,
        }
        .map(Hotkey)
    }

    /// The coldkey's address, from its public file.
    pub fn coldkey(&self) -> Result<Coldkey, WalletError> {
        self.read_public(&self.coldkey_public_path()).map(Coldkey)
    }

    /// Keeps a coldkey's public half alone: all that a daemon's machine needs to hold of it.
    pub fn save_coldkey_public(&self, coldkey: &Coldkey, overwrite: Overwrite) -> Result<(), WalletError> {
        write(&self.coldkey_public_path(), &keyfile::render_public(coldkey.as_bytes()), overwrite)
    }

    pub(crate) fn coldkey_path(&self) -> PathBuf {
        self.dir.join("coldkey")
    }

    pub(crate) fn coldkey_public_path(&self) -> PathBuf {
        self.dir.join("coldkeypub.txt")
    }

    fn hotkey_public_path(&self, name: &str) -> PathBuf {
        self.dir.join("hotkeys").join(format!("{name}pub.txt"))
    }

    fn read_public(&self, path: &Path) -> Result<[u8; 32], WalletError> {
        let bytes = files::read(path).map_err(|source| self.read_error(path, source))?;
        keyfile::parse_public(&bytes).map_err(|source| WalletError::Keyfile { path: path.to_owned(), source })
    }

    pub(crate) fn open_secret(&self, path: &Path, unlock: &Unlock<'_>) -> Result<Keypair, WalletError> {
        let named = |source: KeyfileError| WalletError::Keyfile { path: path.to_owned(), source };
        let bytes = files::read_secret(path).map_err(|source| self.read_error(path, source))?;
        let plain: Zeroizing<Vec<u8>> = match keyfile::encryption(&bytes).map_err(named)? {
            Encryption::Plain => bytes,
            Encryption::Nacl => {
                let password = unlock
                    .password(path)
                    .map_err(|source| WalletError::Password { path: path.to_owned(), source })?
                    .ok_or_else(|| WalletError::PasswordNeeded {
                        path: path.to_owned(),
                        variable: env_variable(path),
                    })?;
                nacl::decrypt(&bytes, &password).map_err(|source| named(source.into()))?
            }
        };
        keyfile::parse_secret(&plain).map_err(named)
    }

    fn read_error(&self, path: &Path, source: io::Error) -> WalletError {
        if source.kind() != io::ErrorKind::NotFound {
            return WalletError::Io { path: path.to_owned(), source };
        }
        if self.dir.is_dir() {
            WalletError::NoKey { path: path.to_owned() }
        } else {
            WalletError::NoWallet { path: self.dir.clone() }
        }
    }
}

/// Writes a secret and its public half; with [`Overwrite::Never`] neither where another key stands already.
pub(crate) fn save_pair(
    secret: &Path,
    public: &Path,
    keypair: &Keypair,
    protect: Protect<'_>,
    overwrite: Overwrite,
) -> Result<(), WalletError> {
    let rendered = keyfile::render_public(&keypair.public());
    if overwrite == Overwrite::Never {
        // This key's own public half may stand here alone, as on a daemon's machine; it is no other key's.
        let same_public = files::read(public)
            .is_ok_and(|bytes| keyfile::parse_public(&bytes).is_ok_and(|key| key == keypair.public()));
        if let Some(taken) =
            [secret, public].into_iter().find(|path| path.exists() && !(same_public && *path == public))
        {
            return Err(WalletError::Exists { path: taken.to_owned() });
        }
    }
    let plain = keyfile::render_secret(keypair);
    match protect {
        // The secret first: a public half without one would name a key that nobody can sign with.
        Protect::Plain => write(secret, &plain, overwrite)?,
        Protect::Password(password, entropy) => {
            let sealed = keyfile::seal(&plain, password, &mut entropy.clone())
                .map_err(|source| WalletError::Keyfile { path: secret.to_owned(), source })?;
            write(secret, &sealed, overwrite)?;
        }
    }
    // Whatever public half stands here belongs to this key or was to be replaced.
    write(public, &rendered, Overwrite::Replace)
}

fn write(path: &Path, bytes: &[u8], overwrite: Overwrite) -> Result<(), WalletError> {
    files::write(path, bytes, overwrite).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => WalletError::Exists { path: path.to_owned() },
        _ => WalletError::Io { path: path.to_owned(), source },
    })
}

/// A name that stays within its folder and is no hidden file.
fn check_name(name: &str) -> Result<(), WalletError> {
    // A name comes from the command line and becomes a path; dots and separators could leave the folder.
    let leaves = |c: char| c.is_control() || matches!(c, '/' | '\\');
    if name.trim().is_empty() || name.starts_with('.') || name.contains(leaves) {
        return Err(WalletError::Name { name: name.to_owned() });
    }
    Ok(())
}

fn names(dir: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<String>, WalletError> {
    let failed = |source| WalletError::Io { path: dir.to_owned(), source };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().into_string()
            // A name that no command would take is not offered either.
            && check_name(&name).is_ok()
            && wanted(&entry.path())
        {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;

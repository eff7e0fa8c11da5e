//! A key as its files show it without a password: for lists, which must tell a locked key from a broken one.

use std::io;
use std::path::Path;

use serde::Serialize;

use crate::files;
use crate::keyfile::{self, Encryption, KeyfileError};
use crate::nacl;

/// Condition of one key's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    Plain,
    Encrypted,
    /// The address alone: this machine can't sign with it.
    PublicOnly,
    Absent,
    Empty,
    Ed25519,
    Broken,
}

/// A key's address, where its files tell it, and its condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    pub public: Option<[u8; 32]>,
    pub state: KeyState,
    /// Cause of a state in which the key can't be used.
    pub problem: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Keyfile(#[from] KeyfileError),
    #[error("{0}")]
    Io(io::Error),
    #[error("the file beside it shows another key's address; delete that one, or restore both")]
    OtherAddress,
}

/// Reads a key's secret file as far as it lies open, and the public one beside it.
pub(crate) fn inspect(secret: &Path, public: &Path) -> Inspected {
    let shown = present(public).map(|bytes| Ok(keyfile::parse_public(&bytes?)?)).transpose();
    let kept = present(secret).map(|bytes| kept(&bytes?)).transpose();
    let address = shown.as_ref().ok().copied().flatten();
    let sound = |public, state| Inspected { public, state, problem: None };
    match (kept, shown) {
        (Err(problem), _) | (_, Err(problem)) => broken(address, &problem),
        (Ok(None), Ok(None)) => sound(None, KeyState::Absent),
        (Ok(None), Ok(address)) => sound(address, KeyState::PublicOnly),
        (Ok(Some(None)), Ok(address)) => sound(address, KeyState::Encrypted),
        (Ok(Some(Some(own))), Ok(address)) if address.is_some_and(|address| address != own) => {
            broken(Some(own), &Problem::OtherAddress)
        }
        (Ok(Some(own)), Ok(_)) => sound(own, KeyState::Plain),
    }
}

fn present(path: &Path) -> Option<Result<zeroize::Zeroizing<Vec<u8>>, Problem>> {
    match files::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        read => Some(read.map_err(Problem::Io)),
    }
}

/// The public key of a plain secret; none of an encrypted one.
fn kept(bytes: &[u8]) -> Result<Option<[u8; 32]>, Problem> {
    match keyfile::encryption(bytes)? {
        Encryption::Plain => Ok(Some(keyfile::parse_secret(bytes)?.public())),
        Encryption::Nacl => {
            nacl::check(bytes).map_err(KeyfileError::from)?;
            Ok(None)
        }
    }
}

fn broken(public: Option<[u8; 32]>, problem: &Problem) -> Inspected {
    let state = match problem {
        Problem::Keyfile(KeyfileError::Empty) => KeyState::Empty,
        Problem::Keyfile(KeyfileError::CryptoType(keyfile::ED25519)) => KeyState::Ed25519,
        _ => KeyState::Broken,
    };
    Inspected { public, state, problem: Some(problem.to_string()) }
}

#[cfg(test)]
mod tests;

//! The miner's keys of TLS: one made at the first start and kept beside the replay guard's mark, and the one before it.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use weighhouse_seams::{Plaintext, Storage, TlsAcceptor, TlsKey, TlsKeyError, TlsPin};
use weighhouse_types::Block;

use super::announce::Announced;
use super::report::OwnStanding;

const KEY: &str = "tls.pem";
/// Served beside the new one until validators have had time to see that one.
const OLD_KEY: &str = "tls-old.pem";
/// Validators look at the chain more often than that.
const OLD_KEY_BLOCKS: u64 = 100;

/// Why there are no keys to serve TLS with.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("{file}: {source}")]
    Storage { file: String, source: io::Error },
    #[error("{file}: {source}; restore it, or remove it to have a new key made and published")]
    Key { file: String, source: TlsKeyError },
    #[error("no key of TLS could be made: {0}")]
    Made(TlsKeyError),
    #[error(
        "{0} is still there: start the miner and let it run until the chain has shown the new key for 100 blocks"
    )]
    TwoAlready(String),
}

/// The keys that a miner serves by.
#[derive(Debug)]
pub struct Keys {
    newest: TlsKey,
    old: Option<TlsKey>,
}

impl Keys {
    /// Reads the keys, and makes one where there is none.
    ///
    /// # Errors
    /// A file that can't be read or written, or that holds no key.
    pub fn open(storage: &dyn Storage) -> Result<Self, KeysError> {
        let newest = match read(storage, KEY)? {
            Some(key) => key,
            None => make(storage)?,
        };
        Ok(Self { newest, old: read(storage, OLD_KEY)? })
    }

    /// Makes a new key; the one before is served beside it until it has been off the chain for long enough.
    ///
    /// # Errors
    /// As [`Self::open`], and a key before that is still served.
    pub fn renew(storage: &dyn Storage) -> Result<TlsPin, KeysError> {
        if read(storage, OLD_KEY)?.is_some() {
            return Err(KeysError::TwoAlready(storage.describe(OLD_KEY)));
        }
        if let Some(key) = read(storage, KEY)? {
            write(storage, OLD_KEY, key.to_pem().as_bytes())?;
        }
        Ok(make(storage)?.pin())
    }

    pub fn pin(&self) -> TlsPin {
        self.newest.pin()
    }

    pub(super) fn acceptor(&self, plaintext: Plaintext) -> TlsAcceptor {
        let all: Vec<TlsKey> = [&self.newest].into_iter().chain(&self.old).cloned().collect();
        TlsAcceptor::new(&all, plaintext)
    }
}

/// Stops serving the old key once the chain has shown ours for long enough.
pub(super) async fn forget_old(
    tls: TlsAcceptor,
    storage: Arc<dyn Storage>,
    ours: Announced,
    mut standing: watch::Receiver<Option<OwnStanding>>,
) {
    let Some(since) = block_when(&mut standing, |own| own.announced == Some(ours)).await else { return };
    let until = Block(since.0.saturating_add(OLD_KEY_BLOCKS));
    if block_when(&mut standing, |own| own.block >= until).await.is_none() {
        return;
    }
    tls.keep_newest();
    if let Err(error) = storage.remove(OLD_KEY) {
        tracing::warn!(%error, file = storage.describe(OLD_KEY), "the old key of TLS can't be removed");
    }
}

/// The first block in which it is so; `None` where nobody tells any more.
async fn block_when(
    standing: &mut watch::Receiver<Option<OwnStanding>>,
    is_so: impl Fn(&OwnStanding) -> bool,
) -> Option<Block> {
    let found = standing.wait_for(|own| own.as_ref().is_some_and(&is_so)).await.ok()?;
    found.as_ref().map(|own| own.block)
}

fn read(storage: &dyn Storage, name: &str) -> Result<Option<TlsKey>, KeysError> {
    let of_storage = |source| KeysError::Storage { file: storage.describe(name), source };
    let Some(bytes) = storage.read(name).map_err(of_storage)? else { return Ok(None) };
    let key = TlsKey::of_pem(&String::from_utf8_lossy(&bytes));
    key.map(Some).map_err(|source| KeysError::Key { file: storage.describe(name), source })
}

fn make(storage: &dyn Storage) -> Result<TlsKey, KeysError> {
    let key = TlsKey::generate().map_err(KeysError::Made)?;
    write(storage, KEY, key.to_pem().as_bytes())?;
    Ok(key)
}

fn write(storage: &dyn Storage, name: &str, bytes: &[u8]) -> Result<(), KeysError> {
    let of_storage = |source| KeysError::Storage { file: storage.describe(name), source };
    storage.write_secret(name, bytes).map_err(of_storage)
}

//! Opening: a new file is given its genesis, an existing one must be whole and of this chain.

use rand::CryptoRng;
use redb::{DatabaseError, StorageError};

use super::*;
use crate::ledger::state::v1::StateV1;

const CACHE_BYTES: usize = 16 * 1024 * 1024;

impl Store {
    pub(crate) fn open(
        path: &Path,
        genesis: &Genesis,
        rng: &mut dyn CryptoRng,
    ) -> Result<OpenedStore, ChainError> {
        let shown = path.display().to_string();
        let database = builder().create(path).map_err(|error| cannot_open(&shown, &error))?;
        // A new file's name outlives a power cut only once its folder is synced.
        sync_folder(path).map_err(|error| cannot_open(&shown, &error.into()))?;
        Self::start(database, shown, genesis, rng, BLOCKS_KEPT)
    }

    /// The same over other bytes: memory, or in tests a disk that fails.
    pub(crate) fn open_backend(
        backend: impl StorageBackend,
        genesis: &Genesis,
        rng: &mut dyn CryptoRng,
        blocks_kept: u64,
    ) -> Result<OpenedStore, ChainError> {
        let shown = "in memory".to_owned();
        let database = builder().create_with_backend(backend).map_err(|error| cannot_open(&shown, &error))?;
        Self::start(database, shown, genesis, rng, blocks_kept)
    }

    fn start(
        database: Database,
        path: String,
        genesis: &Genesis,
        rng: &mut dyn CryptoRng,
        blocks_kept: u64,
    ) -> Result<OpenedStore, ChainError> {
        // A stand-in: `check` reads the file's own.
        let beacon_seed = Digest::default();
        let timelock = LocalBeacon::from_seed(&beacon_seed);
        let timelock_key = timelock.public_key();
        let mut store = Self { database, path, beacon_seed, timelock, timelock_key, blocks_kept };
        if store.meta(FORMAT)?.is_none() {
            store.found(genesis, rng)?;
        }
        let (state, header) = store.check(genesis)?;
        Ok(OpenedStore { store, header, state })
    }

    /// Writes the genesis into an empty database.
    fn found(&self, genesis: &Genesis, rng: &mut dyn CryptoRng) -> Result<(), ChainError> {
        let seed = genesis.file().beacon_seed.unwrap_or_else(|| {
            let mut seed = Digest::default();
            rng.fill_bytes(&mut seed.0);
            seed
        });
        let state = State::genesis(genesis.file()).encode();
        let header = Header {
            number: Block(0),
            parent: genesis.hash(),
            state_root: State::root(&state),
            extrinsics_root: Digest::default(),
            time: 0,
        };
        let block = StoredBlock { header, calls: Vec::new(), events: Vec::new() };
        let write = || -> Result<(), redb::Error> {
            let mut write = self.database.begin_write()?;
            write.set_two_phase_commit(true);
            {
                let mut meta = write.open_table(META)?;
                meta.insert(FORMAT, FORMAT_VERSION.encode().as_slice())?;
                meta.insert(GENESIS, genesis.hash().0.as_slice())?;
                meta.insert(BEACON_SEED, seed.0.as_slice())?;
                meta.insert(STATE, state.as_slice())?;
                write.open_table(BLOCKS)?.insert(0, block.encode().as_slice())?;
                write.open_table(INCLUDED)?;
            }
            write.commit()?;
            Ok(())
        };
        write().map_err(|error| self.broken(&error))
    }

    fn check(&mut self, genesis: &Genesis) -> Result<(State, Header), ChainError> {
        let version = self.required::<u32>(FORMAT)?;
        if ![FORMAT_VERSION, FORMAT_BEFORE].contains(&version) {
            return Err(ChainError::State {
                path: self.path.clone(),
                why: format!("it has format {version}, this program reads format {FORMAT_VERSION}"),
                fix: "use the version of the program that wrote it",
            });
        }
        let actual = self.required::<Digest>(GENESIS)?;
        if actual != genesis.hash() {
            let (endpoint, expected) = (self.path.clone(), genesis.hash());
            return Err(ChainError::WrongGenesis { endpoint, expected, actual });
        }
        self.beacon_seed = self.required(BEACON_SEED)?;
        self.timelock = LocalBeacon::from_seed(&self.beacon_seed);
        self.timelock_key = self.timelock.public_key();
        let bytes = self.meta(STATE)?.ok_or_else(|| self.damaged("it holds no state"))?;
        let state = match version {
            FORMAT_BEFORE => StateV1::decode_all(&mut bytes.as_slice()).map(State::from),
            _ => State::decode_all(&mut bytes.as_slice()),
        };
        let state = state.map_err(|_| self.damaged("its state can't be read"))?;
        let block = self.block(state.block)?.ok_or_else(|| self.damaged("its newest block is missing"))?;
        // Over the bytes as they were written: a state of format 1 would be encoded in another way now.
        if block.header.state_root != State::root(&bytes) {
            return Err(self.damaged("its state isn't its newest block's"));
        }
        state.check_conservation().map_err(|broken| self.damaged(&broken.to_string()))?;
        Ok((state, block.header))
    }

    fn required<T: Decode>(&self, key: &str) -> Result<T, ChainError> {
        let bytes = self.meta(key)?.ok_or_else(|| self.damaged(&format!("it holds no {key}")))?;
        T::decode_all(&mut bytes.as_slice()).map_err(|_| self.damaged(&format!("its {key} can't be read")))
    }

    fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, ChainError> {
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let meta = match self.database.begin_read()?.open_table(META) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?,
            };
            Ok(meta.get(key)?.map(|guard| guard.value().to_vec()))
        };
        read().map_err(|error| self.damaged(&error.to_string()))
    }
}

/// Every page is checked when a file is opened, not only after a crash.
fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}

/// So that a new file's name is as durable as its contents.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

pub(super) fn damaged(path: &str, why: &str) -> ChainError {
    let fix = "restore it from a backup, or move it away to start the chain anew; nothing was changed";
    ChainError::State { path: path.to_owned(), why: format!("the ledger is damaged: {why}"), fix }
}

fn cannot_open(path: &str, error: &DatabaseError) -> ChainError {
    let state = |why: String, fix| ChainError::State { path: path.to_owned(), why, fix };
    match error {
        DatabaseError::DatabaseAlreadyOpen => {
            state("another process has it open".to_owned(), "stop that process, or use another file")
        }
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() != std::io::ErrorKind::InvalidData =>
        {
            state(error.to_string(), "see that its folder exists and can be written to")
        }
        error => damaged(path, &error.to_string()),
    }
}

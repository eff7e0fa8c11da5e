//! The ledger on disk: one redb file with the state, the blocks, and where each call was included.
//!
//! **Invariant.** A block, the state after it and the index of its calls become durable together, in one two-phase
//! commit; a file that is another chain's, of another version or damaged is refused and left as it is.

use std::path::Path;

use parity_scale_codec::{Decode, DecodeAll, Encode};
use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableDefinition, TableError};
use weighhouse_types::{Beacon, Block, Commitment, Digest, Hasher, Head, Hotkey, Netuid, TIMELOCK_KEY_BYTES};

use super::extrinsic::Extrinsic;
use super::genesis::Genesis;
use super::state::State;
use crate::timelock::LocalBeacon;
use crate::{Call, ChainError, Event, Refusal};

mod open;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
const INCLUDED: TableDefinition<'_, [u8; 32], u64> = TableDefinition::new("included");
/// Commitments by subnet, hotkey and block. Files from before it lack the table, and get it with their next block.
const COMMITTED: TableDefinition<'_, (u16, [u8; 32], u64), &[u8]> = TableDefinition::new("committed");

const FORMAT: &str = "format";
const FORMAT_VERSION: u32 = 2;
/// Read, and written anew with the next block.
const FORMAT_BEFORE: u32 = 1;
const GENESIS: &str = "genesis";
const BEACON_SEED: &str = "beacon_seed";
const STATE: &str = "state";

/// Blocks whose contents are kept: a month of twelve-second blocks.
pub(crate) const BLOCKS_KEPT: u64 = 216_000;

/// The part of a block that its hash covers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Header {
    pub(crate) number: Block,
    pub(crate) parent: Digest,
    pub(crate) state_root: Digest,
    pub(crate) extrinsics_root: Digest,
    /// Nanoseconds since the Unix epoch; never less than the parent's.
    pub(crate) time: u64,
}

impl Header {
    /// Block 0 is known by the genesis hash itself.
    pub(crate) fn head(&self) -> Head {
        let hash = match self.number {
            Block(0) => self.parent,
            _ => Hasher::new("weighhouse/block/v1").part(&self.encode()).finish(),
        };
        Head { number: self.number, hash }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StoredCall {
    pub(crate) extrinsic: Vec<u8>,
    pub(crate) result: Result<Vec<Event>, Refusal>,
}

/// A block as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StoredBlock {
    pub(crate) header: Header,
    pub(crate) calls: Vec<StoredCall>,
    /// Events besides the calls'.
    pub(crate) events: Vec<Event>,
}

impl StoredBlock {
    /// What hotkeys published with its calls.
    fn commitments(&self) -> impl Iterator<Item = (Netuid, Hotkey, Vec<u8>)> {
        self.calls.iter().filter(|call| call.result.is_ok()).filter_map(|call| {
            let extrinsic = Extrinsic::read(&call.extrinsic)?;
            match extrinsic.call {
                Call::SetCommitment { netuid, data } => Some((netuid, Hotkey(extrinsic.signer), data)),
                _ => None,
            }
        })
    }
}

#[derive(Debug)]
pub(crate) struct Store {
    database: Database,
    /// For messages.
    path: String,
    beacon_seed: Digest,
    /// Opens timelocked weights; made from the beacon's seed.
    pub(crate) timelock: LocalBeacon,
    pub(crate) timelock_key: [u8; TIMELOCK_KEY_BYTES],
    blocks_kept: u64,
}

/// An opened store and the state that it goes on from.
#[derive(Debug)]
pub(crate) struct OpenedStore {
    pub(crate) store: Store,
    pub(crate) header: Header,
    pub(crate) state: State,
}

impl Store {
    /// Nobody who lacks the seed can tell a beacon before its block.
    pub(crate) fn beacon(&self, block: Block) -> Beacon {
        let number = block.0.to_le_bytes();
        let value =
            Hasher::new("weighhouse/beacon/v1").part(self.beacon_seed.as_bytes()).part(&number).finish();
        Beacon { block, value }
    }

    /// Makes a block and the state after it durable.
    pub(crate) fn commit(
        &self,
        block: &StoredBlock,
        hashes: &[Digest],
        state: &[u8],
    ) -> Result<(), ChainError> {
        self.try_commit(block, hashes, state).map_err(|error| self.broken(&error))
    }

    fn try_commit(&self, block: &StoredBlock, hashes: &[Digest], state: &[u8]) -> Result<(), redb::Error> {
        let mut write = self.database.begin_write()?;
        // One phase, redb's default, tells a torn commit by a hash that isn't cryptographic,
        // over bytes of strangers.
        write.set_two_phase_commit(true);
        {
            let number = block.header.number.0;
            let mut blocks = write.open_table(BLOCKS)?;
            let mut included = write.open_table(INCLUDED)?;
            blocks.insert(number, block.encode().as_slice())?;
            for hash in hashes {
                included.insert(hash.0, number)?;
            }
            let mut committed = write.open_table(COMMITTED)?;
            for (netuid, hotkey, data) in block.commitments() {
                committed.insert((netuid.0, hotkey.0, number), data.as_slice())?;
            }
            if let Some(old) = number.checked_sub(self.blocks_kept)
                && let Some(bytes) = blocks.remove(old)?
                && let Ok(old) = StoredBlock::decode(&mut bytes.value())
            {
                for call in &old.calls {
                    included.remove(super::extrinsic::hash(&call.extrinsic).0)?;
                }
                for (netuid, hotkey, _) in old.commitments() {
                    committed.remove((netuid.0, hotkey.0, number - self.blocks_kept))?;
                }
            }
            let mut meta = write.open_table(META)?;
            meta.insert(STATE, state)?;
            meta.insert(FORMAT, FORMAT_VERSION.encode().as_slice())?;
        }
        write.commit()?;
        Ok(())
    }

    /// `None` where the block is not kept.
    pub(crate) fn block(&self, number: Block) -> Result<Option<StoredBlock>, ChainError> {
        let bytes = self.try_block(number).map_err(|error| self.broken(&error))?;
        let decode = |bytes: Vec<u8>| StoredBlock::decode_all(&mut bytes.as_slice());
        bytes.map(decode).transpose().map_err(|_| self.damaged(&format!("block {number} can't be read")))
    }

    fn try_block(&self, number: Block) -> Result<Option<Vec<u8>>, redb::Error> {
        let blocks = self.database.begin_read()?.open_table(BLOCKS)?;
        Ok(blocks.get(number.0)?.map(|guard| guard.value().to_vec()))
    }

    /// The kept block that includes the call, if there is one.
    pub(crate) fn inclusion(&self, hash: Digest) -> Result<Option<Block>, ChainError> {
        let find = || -> Result<Option<u64>, redb::Error> {
            let included = self.database.begin_read()?.open_table(INCLUDED)?;
            Ok(included.get(hash.0)?.map(|guard| guard.value()))
        };
        Ok(find().map_err(|error| self.broken(&error))?.map(Block))
    }

    /// The newest commitment of a hotkey up to a block, among the blocks that are kept.
    pub(crate) fn commitment(
        &self,
        netuid: Netuid,
        hotkey: Hotkey,
        until: Block,
    ) -> Result<Option<Commitment>, ChainError> {
        let find = || -> Result<Option<Commitment>, redb::Error> {
            let committed = match self.database.begin_read()?.open_table(COMMITTED) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?,
            };
            let key = |block| (netuid.0, hotkey.0, block);
            let Some(newest) = committed.range(key(0)..=key(until.0))?.next_back() else { return Ok(None) };
            let (key, data) = newest?;
            Ok(Some(Commitment { block: Block(key.value().2), data: data.value().to_vec() }))
        };
        find().map_err(|error| self.broken(&error))
    }

    pub(crate) fn blocks_kept(&self) -> u64 {
        self.blocks_kept
    }

    fn broken(&self, error: &redb::Error) -> ChainError {
        let fix = "see that the disk has room and is healthy, then start again";
        ChainError::State { path: self.path.clone(), why: error.to_string(), fix }
    }

    fn damaged(&self, why: &str) -> ChainError {
        open::damaged(&self.path, why)
    }
}

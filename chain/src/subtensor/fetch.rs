//! Reading at one block: storage in batches, and the runtime's own functions. Every endpoint is asked, and must agree.

use std::collections::HashMap;
use std::marker::PhantomData;

use serde::Deserialize;
use subxt::config::substrate::H256;
use subxt::ext::scale_decode::DecodeAsType;
use subxt::rpcs::client::{RawValue, rpc_params};
use weighhouse_types::Digest;

use super::endpoint::{Endpoint, EndpointFailure};
use super::endpoints::Endpoints;
use super::items::{Item, Key};
use super::runtime::Runtime;
use super::socket::{Hex, Request};
use crate::ChainError;

/// Keys asked for in one request.
const KEYS_MAX: usize = 1024;
const QUERY: &str = "state_queryStorageAt";
pub(super) const CALL: &str = "state_call";

/// Storage items to be read together.
#[derive(Debug)]
pub(super) struct StorageBatch<'a> {
    runtime: &'a Runtime,
    keys: Vec<Hex>,
}

/// Storage items whose keys are encoded.
#[derive(Debug)]
pub(super) struct EncodedKeys {
    keys: Vec<Hex>,
    /// The same keys in lists of at most [`KEYS_MAX`], as JSON.
    sets: Vec<Box<RawValue>>,
}

/// Keys and what is stored there.
pub(super) type StorageEntries = Vec<(Hex, Option<Hex>)>;

/// Place of an item in a batch.
#[derive(Debug)]
pub(super) struct StorageSlot<T> {
    item: Item<T>,
    index: usize,
    shape: PhantomData<fn() -> T>,
}

/// Values that a batch brought.
#[derive(Debug)]
pub(super) struct Values<'a> {
    runtime: &'a Runtime,
    values: Vec<Option<Vec<u8>>>,
}

#[derive(Deserialize)]
struct Changes {
    changes: StorageEntries,
}

impl<'a> StorageBatch<'a> {
    pub(super) fn new(runtime: &'a Runtime) -> Self {
        Self { runtime, keys: Vec::new() }
    }

    pub(super) fn add<T: DecodeAsType>(
        &mut self,
        item: Item<T>,
        keys: &[Key],
    ) -> Result<StorageSlot<T>, ChainError> {
        self.keys.push(Hex(item.key(self.runtime, keys)?));
        Ok(StorageSlot { item, index: self.keys.len() - 1, shape: PhantomData })
    }

    /// As [`Self::add`]; `None` where this runtime has no such item.
    pub(super) fn add_optional<T: DecodeAsType>(
        &mut self,
        item: Item<T>,
        keys: &[Key],
    ) -> Result<Option<StorageSlot<T>>, ChainError> {
        item.exists(self.runtime).then(|| self.add(item, keys)).transpose()
    }

    /// The keys, ready to be asked for at any block.
    pub(super) fn ready(self) -> Result<EncodedKeys, ChainError> {
        let json = |keys: &[Hex]| serde_json::value::to_raw_value(keys);
        let sets = self.keys.chunks(KEYS_MAX).map(json).collect::<Result<_, _>>();
        let sets = sets.map_err(|error| self.runtime.differs(format_args!("keys without JSON: {error}")))?;
        Ok(EncodedKeys { keys: self.keys, sets })
    }

    pub(super) async fn fetch(self, endpoints: &Endpoints, at: Digest) -> Result<Values<'a>, ChainError> {
        let runtime = self.runtime;
        let asked = self.ready()?;
        let read = |endpoint: &Endpoint, answers: &[Box<RawValue>]| asked.read(endpoint, answers);
        let found = endpoints.all_agreed(&asked.requests(at), read).await?;
        asked.values(runtime, found)
    }
}

impl EncodedKeys {
    pub(super) fn requests(&self, at: Digest) -> Vec<Request<'static>> {
        self.sets.iter().map(|keys| Request::new(QUERY, rpc_params![keys, H256(at.0)])).collect()
    }

    /// Reads the answers to [`Self::requests`].
    pub(super) fn read(
        &self,
        endpoint: &Endpoint,
        answers: &[Box<RawValue>],
    ) -> Result<StorageEntries, EndpointFailure> {
        let mut found = Vec::with_capacity(self.keys.len());
        for answer in answers {
            let sets: Vec<Changes> = endpoint.read(QUERY, answer)?;
            found.extend(sets.into_iter().flat_map(|set| set.changes));
        }
        Ok(found)
    }

    /// Nodes keep the order, but needn't.
    pub(super) fn values<'a>(
        &self,
        runtime: &'a Runtime,
        found: StorageEntries,
    ) -> Result<Values<'a>, ChainError> {
        let unanswered =
            || ChainError::Undecodable("a storage key was asked for but not answered".to_owned());
        if found.iter().map(|(key, _)| key).eq(&self.keys) {
            let values = found.into_iter().map(|(_, value)| value.map(|value| value.0)).collect();
            return Ok(Values { runtime, values });
        }
        // A proxy may sort keys; the values are then found by key.
        let mut found: HashMap<_, _> = found.into_iter().collect();
        let value = |key: &Hex| Ok(found.remove(key).ok_or_else(unanswered)?.map(|value| value.0));
        let values = self.keys.iter().map(value).collect::<Result<_, ChainError>>()?;
        Ok(Values { runtime, values })
    }
}

impl Values<'_> {
    /// `None` where nothing is stored and the runtime has no default.
    pub(super) fn get<T: DecodeAsType>(&self, slot: &StorageSlot<T>) -> Result<Option<T>, ChainError> {
        slot.item.read(self.runtime, self.values[slot.index].as_deref())
    }

    pub(super) fn need<T: DecodeAsType>(&self, slot: &StorageSlot<T>) -> Result<T, ChainError> {
        let Item { pallet, name, .. } = slot.item;
        self.get(slot)?.ok_or_else(|| ChainError::Undecodable(format!("{pallet}.{name} is empty")))
    }

    pub(super) fn get_or<T: DecodeAsType>(
        &self,
        slot: &Option<StorageSlot<T>>,
        default: T,
    ) -> Result<T, ChainError> {
        let Some(slot) = slot else { return Ok(default) };
        Ok(self.get(slot)?.unwrap_or(default))
    }

    /// True where something is stored, defaults aside.
    pub(super) fn is_stored<T>(&self, slot: &StorageSlot<T>) -> bool {
        self.values[slot.index].is_some()
    }
}

/// One item alone.
pub(super) async fn one<T: DecodeAsType>(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
    item: Item<T>,
    keys: &[Key],
) -> Result<Option<T>, ChainError> {
    let params = rpc_params![Hex(item.key(runtime, keys)?), H256(at.0)];
    let value: Option<Hex> = endpoints.agreed("state_getStorage", params).await?;
    item.read(runtime, value.as_ref().map(|bytes| &bytes.0[..]))
}

/// A function of the runtime by its full name, with its arguments encoded.
pub(super) async fn call(
    endpoints: &Endpoints,
    function: &str,
    arguments: Hex,
    at: Digest,
) -> Result<Vec<u8>, ChainError> {
    let params = rpc_params![function, arguments, H256(at.0)];
    let answer: Hex = endpoints.agreed(CALL, params).await?;
    Ok(answer.0)
}

//! Reading at one block: storage in batches, and the runtime's own functions. Every endpoint is asked, and must agree.

use std::collections::HashMap;
use std::marker::PhantomData;

use serde::Deserialize;
use subxt::config::substrate::H256;
use subxt::ext::scale_decode::DecodeAsType;
use subxt::rpcs::client::rpc_params;
use weighhouse_types::Digest;

use super::endpoints::Endpoints;
use super::hex::Hex;
use super::items::{Item, Key};
use super::runtime::Runtime;
use crate::ChainError;

/// Keys asked for in one request.
const KEYS_MAX: usize = 1024;

/// Storage items to be read together.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    runtime: &'a Runtime,
    keys: Vec<Vec<u8>>,
}

/// Where a batch holds an item.
#[derive(Debug)]
pub(super) struct Slot<T> {
    item: Item<T>,
    index: usize,
    shape: PhantomData<fn() -> T>,
}

/// What a batch brought.
#[derive(Debug)]
pub(super) struct Values<'a> {
    runtime: &'a Runtime,
    values: Vec<Option<Vec<u8>>>,
}

#[derive(Deserialize, PartialEq)]
struct Changes {
    changes: Vec<(Hex, Option<Hex>)>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(runtime: &'a Runtime) -> Self {
        Self { runtime, keys: Vec::new() }
    }

    pub(super) fn add<T: DecodeAsType>(
        &mut self,
        item: Item<T>,
        keys: &[Key],
    ) -> Result<Slot<T>, ChainError> {
        self.keys.push(item.key(self.runtime, keys)?);
        Ok(Slot { item, index: self.keys.len() - 1, shape: PhantomData })
    }

    /// As [`Self::add`]; `None` where this runtime has no such item.
    pub(super) fn add_optional<T: DecodeAsType>(
        &mut self,
        item: Item<T>,
        keys: &[Key],
    ) -> Result<Option<Slot<T>>, ChainError> {
        item.exists(self.runtime).then(|| self.add(item, keys)).transpose()
    }

    pub(super) async fn fetch(self, endpoints: &Endpoints, at: Digest) -> Result<Values<'a>, ChainError> {
        let mut found = HashMap::with_capacity(self.keys.len());
        for keys in self.keys.chunks(KEYS_MAX) {
            let keys: Vec<Hex> = keys.iter().cloned().map(Hex).collect();
            let params = rpc_params![keys, H256(at.0)];
            let sets: Vec<Changes> = endpoints.agreed("state_queryStorageAt", &params).await?;
            let changes = sets.into_iter().flat_map(|set| set.changes);
            found.extend(changes.map(|(key, value)| (key.0, value.map(|value| value.0))));
        }
        let unanswered =
            || ChainError::Undecodable("a storage key was asked for but not answered".to_owned());
        let value = |key: &Vec<u8>| found.get(key).cloned().ok_or_else(unanswered);
        let values = self.keys.iter().map(value).collect::<Result<_, _>>()?;
        Ok(Values { runtime: self.runtime, values })
    }
}

impl Values<'_> {
    /// `None` where nothing is stored and the runtime has no default.
    pub(super) fn get<T: DecodeAsType>(&self, slot: &Slot<T>) -> Result<Option<T>, ChainError> {
        slot.item.read(self.runtime, self.values[slot.index].as_deref())
    }

    pub(super) fn need<T: DecodeAsType>(&self, slot: &Slot<T>) -> Result<T, ChainError> {
        let Item { pallet, name, .. } = slot.item;
        self.get(slot)?.ok_or_else(|| ChainError::Undecodable(format!("{pallet}.{name} is empty")))
    }

    pub(super) fn get_or<T: DecodeAsType>(
        &self,
        slot: &Option<Slot<T>>,
        default: T,
    ) -> Result<T, ChainError> {
        let Some(slot) = slot else { return Ok(default) };
        Ok(self.get(slot)?.unwrap_or(default))
    }

    /// Whether anything is stored, defaults aside.
    pub(super) fn is_stored<T>(&self, slot: &Slot<T>) -> bool {
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
    let value: Option<Hex> = endpoints.agreed("state_getStorage", &params).await?;
    item.read(runtime, value.as_ref().map(|bytes| &bytes.0[..]))
}

/// A function of the runtime by its full name, with its arguments encoded.
pub(super) async fn call(
    endpoints: &Endpoints,
    function: &str,
    arguments: Vec<u8>,
    at: Digest,
) -> Result<Vec<u8>, ChainError> {
    let params = rpc_params![function, Hex(arguments), H256(at.0)];
    let answer: Hex = endpoints.agreed("state_call", &params).await?;
    Ok(answer.0)
}

//! Calls on their way: signed with the next nonce, looked for in finalised blocks.

use std::sync::Arc;

use subxt::config::substrate::H256;
use subxt::ext::codec::Decode as _;
use subxt::rpcs::client::rpc_params;
use weighhouse_types::{Block, Digest, Head, Rao};
use weighhouse_wallet::keypair::Keypair;

use super::calls::{self, Payload};
use super::items::{self, Key};
use super::runtime::Runtime;
use super::sign::{self, MORTAL_BLOCKS, OnItsWay};
use super::socket::Hex;
use super::submit::{self, CallPlace};
use super::{Subtensor, events, extra, fetch, read, undecodable};
use crate::{Call, CallOutcome, ChainError, Refusal, SignedCall};

impl Subtensor {
    pub(super) async fn payload(
        &self,
        runtime: &Runtime,
        head: Head,
        call: &Call,
    ) -> Result<Payload, ChainError> {
        let endpoints = &self.0.endpoints;
        match call {
            Call::SetTake { hotkey, take } => {
                let key = [Key::Account(hotkey.0)];
                let now = fetch::one(runtime, endpoints, head.hash, items::DELEGATES, &key).await?;
                Ok(calls::set_take(*hotkey, *take, now.unwrap_or(0)))
            }
            Call::SetMechanisms { netuid, mechanisms } => Ok(calls::set_mechanisms(*netuid, mechanisms)),
            Call::SetHyperparameters { netuid, hyperparameters } => {
                let state = read::subnet(runtime, endpoints, head, *netuid).await?;
                extra::set_hyperparameters(*netuid, &state.hyperparameters, hyperparameters)
            }
            Call::Register { netuid, limit, .. } if !runtime.layout.register_limit => {
                let key = [Key::Small(netuid.0)];
                let burn = fetch::one(runtime, endpoints, head.hash, items::BURN, &key).await?;
                let burn = Rao(burn.unwrap_or(0));
                // Older runtimes know no limit, so it is checked here, one block earlier than they charge it.
                if burn > *limit {
                    return Err(ChainError::Refused(Refusal::RegistrationPriceLimitExceeded { burn }));
                }
                calls::payload(runtime, call)
            }
            call => calls::payload(runtime, call),
        }
    }

    pub(super) async fn sign_payload(
        &self,
        runtime: &Runtime,
        head: Head,
        signer: &Keypair,
        payload: &Payload,
    ) -> Result<SignedCall, ChainError> {
        let account = signer.public();
        // Read before the lock: a slow node must not hold up other accounts.
        let nonce = self.next_nonce(&account).await?;
        let mut nonces = self.0.nonces.lock().await;
        nonces.check(&account, nonce, head.number)?;
        let signed = sign::sign(runtime, signer, payload, nonce, head)?;
        let call = OnItsWay { hash: signed.hash, nonce, expires: signed.expires, is_handed_in: false };
        nonces.signed(account, call, head.number);
        Ok(signed)
    }

    /// The account's nonce at the node's best block.
    pub(super) async fn next_nonce(&self, account: &[u8; 32]) -> Result<u64, ChainError> {
        // Not at the finalised block: the account's last call may be in one that isn't final yet.
        let params = rpc_params!["AccountNonceApi_account_nonce", Hex(account.to_vec())];
        let answer: Hex = self.0.endpoints.ask("state_call", &params).await?;
        let nonce = u32::decode(&mut &answer.0[..]);
        nonce.map(u64::from).map_err(|error| undecodable("a nonce", &error))
    }

    /// Looks for a call in the finalised blocks that may hold it and weren't searched yet.
    pub(super) async fn place(
        &self,
        signed: &SignedCall,
        head: Head,
    ) -> Result<Option<CallPlace>, ChainError> {
        let mut block = self.0.searches.lock().await.next(signed, MORTAL_BLOCKS);
        while block <= head.number && block <= signed.expires {
            let hash = self.0.endpoints.block_hash(block).await?;
            if let Some(position) = submit::find(&self.0.endpoints, hash, signed.hash).await? {
                return Ok(Some(CallPlace { block, hash, position }));
            }
            // Noted block by block, so that a search that is cut off goes on where it was.
            self.0.searches.lock().await.searched(signed.hash, block);
            block = Block(block.0 + 1);
        }
        Ok(None)
    }

    /// True where another call has taken the nonce of one that isn't in any block up to the head.
    pub(super) async fn is_usurped(&self, signed: &SignedCall, head: Head) -> Result<bool, ChainError> {
        let Some((account, nonce)) = self.0.nonces.lock().await.of(signed.hash) else { return Ok(false) };
        let runtime = self.runtime(head.hash).await?;
        let key = [Key::Account(account)];
        let info = fetch::one(&runtime, &self.0.endpoints, head.hash, items::ACCOUNT, &key).await?;
        Ok(info.is_some_and(|info| info.nonce > nonce))
    }

    pub(super) async fn outcome_at(&self, place: CallPlace) -> Result<CallOutcome, ChainError> {
        match self.events_at(place.block, place.hash).await {
            Ok((runtime, events)) => events::outcome(&runtime, events, place.position, place.block),
            Err(ChainError::Discarded { .. }) => Err(ChainError::OutcomeDiscarded { block: place.block }),
            Err(error) => Err(error),
        }
    }

    /// A block's events, and the runtime that wrote them.
    pub(super) async fn events_at(
        &self,
        block: Block,
        hash: Digest,
    ) -> Result<(Arc<Runtime>, Vec<u8>), ChainError> {
        // The block was made, and its events written, by the runtime of its parent's state.
        let parent = self.0.endpoints.block_hash(Block(block.0.saturating_sub(1))).await?;
        let runtime = self.runtime(parent).await?;
        let key = items::EVENTS.key(&runtime, &[])?;
        let params = rpc_params![Hex(key), H256(hash.0)];
        let events: Option<Hex> = self.0.endpoints.ask("state_getStorage", &params).await?;
        let events = events.ok_or_else(|| ChainError::Undecodable("a block without events".to_owned()))?;
        Ok((runtime, events.0))
    }

    /// True where a call is in a block that isn't final yet.
    pub(super) async fn is_in_best_chain(&self, signed: &SignedCall, head: Head) -> Result<bool, ChainError> {
        for number in head.number.0 + 1..=head.number.0 + MORTAL_BLOCKS {
            let hash: Option<H256> = self.0.endpoints.ask("chain_getBlockHash", &rpc_params![number]).await?;
            let Some(hash) = hash else { return Ok(false) };
            if submit::find(&self.0.endpoints, Digest(hash.0), signed.hash).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

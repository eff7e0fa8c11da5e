//! Handing signed calls in, and finding out what became of them.
//!
//! Nothing is watched: what a pool tells of a call (ready, broadcast, retracted, usurped, dropped) is not final, so a
//! call's outcome is read from finalised blocks alone. A call that was retracted or dropped can be handed in again
//! until it expires; one whose nonce another call took is expired at once; one that became invalid is refused when it
//! is handed in again.

use std::collections::HashMap;

use serde::Deserialize;
use subxt::config::Hasher as _;
use subxt::config::substrate::{BlakeTwo256, H256};
use subxt::rpcs::UserError;
use subxt::rpcs::client::rpc_params;
use weighhouse_types::{Block, Digest};

use super::endpoint::EndpointFailure;
use super::endpoints::Endpoints;
use super::refusal;
use super::socket::Hex;
use crate::{ChainError, SignedCall};

/// The transaction pool's error codes, as JSON-RPC has them.
const INVALID: i32 = 1010;
const BANNED: i32 = 1012;
const ALREADY_IMPORTED: i32 = 1013;
const PRIORITY_TOO_LOW: i32 = 1014;
const DROPPED: i32 = 1016;

/// Calls whose search in blocks is remembered.
const SEARCHES_MAX: usize = 256;

/// A pool's verdict on a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PoolVerdict {
    Yes,
    /// Refused in a way that a call which is in a block already would be, too.
    Perhaps(String),
    No(String),
}

pub(super) async fn submit(endpoints: &Endpoints, signed: &SignedCall) -> Result<PoolVerdict, ChainError> {
    let params = rpc_params![Hex(signed.bytes.clone())];
    match endpoints.request::<H256>("author_submitExtrinsic", &params).await {
        Ok(_) => Ok(PoolVerdict::Yes),
        Err((_, EndpointFailure::Answer(error))) => Ok(judge(&error)),
        Err((endpoint, failed)) => Err(endpoint.failed(failed)),
    }
}

/// Reads the pool's answer.
pub(super) fn judge(error: &UserError) -> PoolVerdict {
    let detail = error.data.as_ref().map(|data| data.get().trim_matches('"').to_owned()).unwrap_or_default();
    let text = format!("{} {}: {detail}", error.code, error.message);
    match error.code {
        ALREADY_IMPORTED => PoolVerdict::Yes,
        // The pool bans what it has seen included or refused; the blocks tell which.
        BANNED => PoolVerdict::Perhaps(text),
        INVALID if is_stale(&text) => PoolVerdict::Perhaps(text),
        INVALID => PoolVerdict::No(custom_name(&detail).map_or(text, |name| format!("{name} ({detail})"))),
        PRIORITY_TOO_LOW => PoolVerdict::No(format!(
            "another call of the account waits with the same nonce ({text}): wait until it is in a block or expired"
        )),
        DROPPED => PoolVerdict::No(format!("the node's pool is full ({text}): hand it in again later")),
        _ => PoolVerdict::No(text),
    }
}

/// Its nonce is used up: nodes say so in words, or by the error's own name.
fn is_stale(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("outdated") || text.contains("stale")
}

fn custom_name(detail: &str) -> Option<&'static str> {
    let (_, number) = detail.split_once("Custom error: ")?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    refusal::custom(digits.parse().ok()?)
}

/// Place of a call in the finalised chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallPlace {
    pub(super) block: Block,
    pub(super) hash: Digest,
    pub(super) position: u32,
}

/// Up to which block each call was looked for.
#[derive(Debug, Default)]
pub(super) struct Searches(HashMap<Digest, Block>);

impl Searches {
    /// The first block to look in.
    pub(super) fn next(&self, signed: &SignedCall, blocks: u64) -> Block {
        // A mortal call can't be in an earlier block than its birth.
        let first = Block(signed.expires.0.saturating_sub(blocks - 2));
        self.0.get(&signed.hash).map_or(first, |searched| Block(searched.0 + 1))
    }

    pub(super) fn searched(&mut self, hash: Digest, block: Block) {
        // The oldest search goes: at worst its blocks are looked through again.
        if self.0.len() >= SEARCHES_MAX && !self.0.contains_key(&hash) {
            let oldest = self.0.iter().min_by_key(|(_, searched)| **searched).map(|(hash, _)| *hash);
            self.0.remove(&oldest.unwrap_or(hash));
        }
        self.0.insert(hash, block);
    }
}

#[derive(Deserialize)]
struct SignedBlock {
    block: BlockBody,
}

#[derive(Deserialize)]
struct BlockBody {
    extrinsics: Vec<Hex>,
}

/// Looks for a call in one block.
pub(super) async fn find(
    endpoints: &Endpoints,
    hash: Digest,
    call: Digest,
) -> Result<Option<u32>, ChainError> {
    let block: Option<SignedBlock> = endpoints.ask("chain_getBlock", &rpc_params![H256(hash.0)]).await?;
    // Of a finalised block, which has one: it isn't kept any more.
    let endpoint = || "the endpoint that was asked".to_owned();
    let block = block.ok_or_else(|| ChainError::Discarded { endpoint: endpoint() })?;
    let is_it = |bytes: &Hex| BlakeTwo256.hash(&bytes.0).0 == call.0;
    let position = block.block.extrinsics.iter().position(is_it);
    Ok(position.and_then(|position| u32::try_from(position).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i32, data: &str) -> UserError {
        let data = serde_json::value::RawValue::from_string(format!("{data:?}")).expect("JSON");
        UserError { code, message: "Invalid Transaction".to_owned(), data: Some(data) }
    }

    #[test]
    fn each_answer_of_the_pool_has_its_rule() {
        assert_eq!(judge(&error(1013, "")), PoolVerdict::Yes);
        assert!(matches!(judge(&error(1012, "")), PoolVerdict::Perhaps(_)));
        assert!(matches!(judge(&error(1010, "Transaction is outdated")), PoolVerdict::Perhaps(_)));
        let named = UserError { message: r#"{"invalid":{"stale":null}}"#.to_owned(), ..error(1010, "") };
        assert!(matches!(judge(&named), PoolVerdict::Perhaps(_)));
        let PoolVerdict::No(bad) = judge(&error(1010, "Transaction has a bad signature")) else {
            panic!("taken")
        };
        assert!(bad.contains("bad signature"));
        let PoolVerdict::No(custom) = judge(&error(1010, "Custom error: 12")) else { panic!("taken") };
        assert_eq!(custom, "ServingRateLimitExceeded (Custom error: 12)");
        let PoolVerdict::No(priority) = judge(&error(1014, "too low")) else { panic!("taken") };
        assert!(priority.contains("same nonce"));
        assert!(matches!(judge(&error(1016, "")), PoolVerdict::No(_)));
        assert!(matches!(judge(&error(-32000, "")), PoolVerdict::No(_)));
    }

    #[test]
    fn a_search_goes_on_where_it_stopped_and_few_are_kept() {
        let signed = SignedCall { bytes: Vec::new(), hash: Digest([1; 32]), expires: Block(163) };
        let mut searches = Searches::default();
        assert_eq!(searches.next(&signed, 64), Block(101));
        searches.searched(signed.hash, Block(120));
        assert_eq!(searches.next(&signed, 64), Block(121));
        for index in 0..u64::try_from(SEARCHES_MAX).expect("fits") + 5 {
            searches.searched(Digest::of(&index.to_le_bytes()), Block(1000 + index));
        }
        assert_eq!(searches.0.len(), SEARCHES_MAX);
        assert_eq!(searches.next(&signed, 64), Block(101), "forgotten ones are looked for anew");
    }
}

//! Admission to the pool, and the meaning of a signed call.

use super::super::extrinsic::{LIFETIME_BLOCKS, LIFETIME_BLOCKS_MAX};
use super::super::pool::NONCE_WINDOW;
use super::super::*;
use super::world::*;

fn transfer(amount: u64) -> Call {
    Call::Transfer { to: coldkey(1).coldkey(), amount: Rao(amount) }
}

async fn not_taken(ledger: &Ledger, bytes: Vec<u8>) -> String {
    let signed = SignedCall { hash: extrinsic::hash(&bytes), bytes, expires: Block(0) };
    match ledger.submit(&signed).await {
        Err(ChainError::NotAccepted(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_can_not_be_included_is_not_taken() {
    let ledger = ledger();
    let signer = coldkey(0);
    let genesis = ledger.genesis();
    let sign = |nonce, head| extrinsic::sign(&signer, genesis, transfer(1), nonce, Block(head)).bytes;
    let cases = [
        (vec![0; EXTRINSIC_BYTES_MAX + 1], "over the limit"),
        (b"garbage".to_vec(), "no signed call"),
        ([sign(0, 0), vec![0]].concat(), "no signed call"),
        (extrinsic::sign(&signer, Digest::default(), transfer(1), 0, Block(0)).bytes, "another genesis"),
        (extrinsic::sign(&key(90), genesis, transfer(1), 0, Block(0)).bytes, "holds nothing here"),
        (sign(NONCE_WINDOW, 0), "too far ahead"),
        (sign(0, LIFETIME_BLOCKS_MAX), "blocks ahead"),
    ];
    for (bytes, expected) in cases {
        let why = not_taken(&ledger, bytes).await;
        assert!(why.contains(expected), "{why} lacks {expected}");
    }
    let mut forged = sign(0, 0);
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert!(not_taken(&ledger, forged).await.contains("signature is wrong"));
    for _ in 0..LIFETIME_BLOCKS {
        ledger.produce_block().await.expect("a block");
    }
    assert!(not_taken(&ledger, sign(0, 0)).await.contains("it expired at block 16"));
}

#[tokio::test]
async fn a_changed_byte_of_a_signed_call_is_never_taken() {
    let ledger = ledger();
    let signed = ledger.sign(&coldkey(0), transfer(5)).await.expect("signs");
    for position in 0..signed.bytes.len() {
        let mut bytes = signed.bytes.clone();
        bytes[position] ^= 0x10;
        not_taken(&ledger, bytes).await;
    }
    assert!(ledger.submit(&signed).await.is_ok());
}

#[tokio::test]
async fn the_same_bytes_twice_have_one_effect() {
    let ledger = ledger();
    let signed = ledger.sign(&coldkey(0), transfer(5)).await.expect("signs");
    for _ in 0..3 {
        ledger.submit(&signed).await.expect("is taken");
    }
    assert_eq!(ledger.outcome(&signed).await.expect("an outcome"), CallOutcome::Pending);
    let block = ledger.produce_block().await.expect("a block").number;
    ledger.submit(&signed).await.expect("included already: nothing to do");
    ledger.produce_block().await.expect("a block");
    let (from, to) = (coldkey(0).coldkey(), coldkey(1).coldkey());
    let events = vec![Event::Transferred { from, to, amount: Rao(5) }];
    assert_eq!(ledger.outcome(&signed).await.expect("an outcome"), CallOutcome::Included { block, events });
    assert_eq!(ledger.balance(to).await.expect("a balance"), Rao(50_000_000_005));
}

#[tokio::test]
async fn a_refused_call_uses_its_nonce_up() {
    let ledger = ledger();
    let outcome = execute(&ledger, &coldkey(0), transfer(u64::MAX)).await;
    assert!(matches!(
        outcome,
        CallOutcome::Refused { block: Block(1), refusal: crate::Refusal::NotEnoughBalance { .. } }
    ));
    let stale = extrinsic::sign(&coldkey(0), ledger.genesis(), transfer(1), 0, Block(1)).bytes;
    assert!(not_taken(&ledger, stale).await.contains("nonce 0 was used already, the next is 1"));
}

#[tokio::test]
async fn a_nonce_belongs_to_the_first_call_that_took_it() {
    let ledger = ledger();
    let first = ledger.sign(&coldkey(0), transfer(5)).await.expect("signs");
    let rival = ledger.sign(&coldkey(0), transfer(6)).await.expect("signs");
    ledger.submit(&first).await.expect("is taken");
    assert!(not_taken(&ledger, rival.bytes.clone()).await.contains("waits already"));
    ledger.produce_block().await.expect("a block");
    assert_eq!(ledger.outcome(&rival).await.expect("an outcome"), CallOutcome::Expired, "its nonce is used");
}

#[tokio::test]
async fn calls_of_one_account_go_in_by_their_nonces_without_gaps() {
    let ledger = ledger();
    let mut signed = Vec::new();
    for nonce in [2, 0] {
        let call = extrinsic::sign(&coldkey(0), ledger.genesis(), transfer(1 + nonce), nonce, Block(0));
        ledger.submit(&call).await.expect("is taken");
        signed.push(call);
    }
    let (nonce, _) = ledger.0.next_nonce(&coldkey(0).public());
    assert_eq!(nonce, 1, "the gap comes first");
    ledger.produce_block().await.expect("a block");
    assert_eq!(ledger.outcome(&signed[0]).await.expect("an outcome"), CallOutcome::Pending);
    assert!(matches!(ledger.outcome(&signed[1]).await, Ok(CallOutcome::Included { .. })));
    assert!(matches!(
        execute(&ledger, &coldkey(0), transfer(9)).await,
        CallOutcome::Included { block: Block(2), .. }
    ));
    assert!(matches!(ledger.outcome(&signed[0]).await, Ok(CallOutcome::Included { block: Block(2), .. })));
}

#[tokio::test]
async fn a_call_that_was_never_included_expires() {
    let ledger = ledger();
    let signed = ledger.sign(&coldkey(0), transfer(5)).await.expect("signs");
    for _ in 0..LIFETIME_BLOCKS {
        assert_eq!(ledger.outcome(&signed).await.expect("an outcome"), CallOutcome::Pending);
        ledger.produce_block().await.expect("a block");
    }
    assert_eq!(ledger.outcome(&signed).await.expect("an outcome"), CallOutcome::Expired);
}

#[test]
fn the_pool_is_bounded() {
    let mut pool = Pool::default();
    let mut state = state();
    let call = transfer(1);
    let call = |signer: Account, nonce: u64| {
        let (call, signature) = (call.clone(), [0; 64]);
        let extrinsic = Extrinsic { call, signer, nonce, expires: Block(9), signature };
        let bytes = extrinsic.encode();
        Waiting { hash: extrinsic::hash(&bytes), bytes, extrinsic }
    };
    let mut taken = 0;
    for number in 0u32..600 {
        let mut signer = [0; 32];
        signer[..4].copy_from_slice(&number.to_le_bytes());
        state.accounts.entry(signer).or_default();
        for nonce in 0..NONCE_WINDOW {
            match pool.insert(call(signer, nonce), &state) {
                Ok(()) => taken += 1,
                Err(why) => assert_eq!(why, NotTaken::PoolFull),
            }
        }
    }
    assert_eq!(taken, super::super::pool::POOL_CALLS_MAX);
    assert_eq!(pool.includable(&state).len(), taken);
    state.block = Block(9);
    pool.purge(&state);
    assert_eq!(pool.includable(&state).len(), 0);
    state.block = Block(0);
    assert_eq!(pool.insert(call([0; 32], 0), &state), Ok(()));
}

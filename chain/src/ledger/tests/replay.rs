//! The same calls give the same state, in whatever order they came in.

use super::super::*;
use super::world::*;

#[tokio::test]
async fn the_order_of_submission_changes_nothing() {
    let ledgers = [ledger(), ledger()];
    for round in 0u64..12 {
        let mut calls = Vec::new();
        for uid in 0..VALIDATORS {
            calls.push(
                ledgers[0]
                    .sign(&key(1 + uid), weights(&[(2, 1 + u16::from(uid)), (3, 7)]))
                    .await
                    .expect("signs"),
            );
        }
        for uid in 0..VALIDATORS + MINERS {
            let call = Call::AddStake { netuid: NETUID, hotkey: hotkey(uid), amount: Rao(1_000 + round) };
            calls.push(ledgers[0].sign(&coldkey(uid), call).await.expect("signs"));
        }
        for call in &calls {
            ledgers[0].submit(call).await.expect("is taken");
        }
        for call in calls.iter().rev() {
            ledgers[1].submit(call).await.expect("is taken");
        }
        for ledger in &ledgers {
            ledger.produce_block().await.expect("a block");
        }
        let roots = ledgers.each_ref().map(|ledger| ledger.newest().header.state_root);
        assert_eq!(roots[0], roots[1], "round {round}");
        let beacons = ledgers.each_ref().map(|ledger| ledger.0.store.beacon(Block(round)));
        assert_eq!(beacons[0], beacons[1]);
    }
    assert!(ledgers[0].newest().state.subnets[&NETUID].neurons[2].emission > Rao(0), "epochs have paid");
}

#[tokio::test]
async fn a_beacon_is_known_with_its_block_and_not_before() {
    let ledger = ledger();
    let first = ledger.beacon(Block(0)).await.expect("known");
    assert!(matches!(
        ledger.beacon(Block(1)).await,
        Err(ChainError::NoBlock { block: Block(1), head: Block(0) })
    ));
    ledger.produce_block().await.expect("a block");
    assert_ne!(ledger.beacon(Block(1)).await.expect("known").value, first.value);
    let mut other = file();
    other.beacon_seed = None;
    let other = Genesis::new(other).expect("valid");
    let other = Ledger::in_memory(&other, clock(), &mut entropy()).expect("opens");
    assert_ne!(other.beacon(Block(0)).await.expect("known").value, first.value);
}

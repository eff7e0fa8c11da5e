//! Behaviour of any implementation of [`Chain`], in process or across the network.

use super::super::extrinsic::LIFETIME_BLOCKS;
use super::super::*;
use super::world::*;
use crate::Refusal;
use weighhouse_types::Axon;

/// `chain` shows what `ledger` holds; `ledger` makes the blocks.
pub(super) async fn check(chain: &dyn Chain, ledger: &Ledger) {
    let genesis = ledger.genesis();
    assert_eq!(chain.genesis(), genesis);
    let start = chain.head().await.expect("a head");
    assert_eq!(start, Head { number: Block(0), hash: genesis });
    check_reads(chain).await;

    let (validator, miner) = (key(1), key(3));
    let signed = chain.sign(&validator, weights(&[(2, 4), (3, 2)])).await.expect("signs");
    assert_eq!(signed.expires, Block(LIFETIME_BLOCKS));
    assert_eq!(chain.outcome(&signed).await.expect("an outcome"), CallOutcome::Pending);
    chain.submit(&signed).await.expect("is taken");
    chain.submit(&signed).await.expect("the same again");
    let (next, made) = tokio::join!(chain.next_block(start.number), ledger.produce_block());
    assert_eq!(next.expect("a block"), made.expect("a block"));
    let events = vec![Event::WeightsSet { netuid: NETUID, mechanism: MechId(0), uid: Uid(0) }];
    assert_eq!(
        chain.outcome(&signed).await.expect("an outcome"),
        CallOutcome::Included { block: Block(1), events }
    );
    let stored = chain.weights(NETUID, MechId(0), Uid(0)).await.expect("a row");
    assert_eq!(stored, [(Uid(2), 65_535), (Uid(3), 32_768)]);

    let refused = chain.sign(&miner, weights(&[(4, 1)])).await.expect("signs");
    chain.submit(&refused).await.expect("is taken");
    let certificate = Certificate { algorithm: 1, public_key: vec![3; 32] };
    let axon = Axon::new("127.0.0.1:8091".parse().expect("an address"), 9, Block(0));
    let call = Call::ServeAxonTls { netuid: NETUID, axon, certificate: certificate.clone() };
    let served = chain.sign(&miner, call).await.expect("signs: the next nonce, past the one that waits");
    chain.submit(&served).await.expect("is taken");
    ledger.produce_block().await.expect("a block");
    let refusal = Refusal::NeuronNoValidatorPermit;
    assert_eq!(
        chain.outcome(&refused).await.expect("an outcome"),
        CallOutcome::Refused { block: Block(2), refusal }
    );
    assert!(matches!(chain.outcome(&served).await, Ok(CallOutcome::Included { .. })));
    assert_eq!(chain.certificate(NETUID, hotkey(2)).await.expect("a subnet"), Some(certificate));

    check_errors(chain, &validator).await;
    let state = chain.subnet(NETUID).await.expect("a subnet");
    assert_eq!(state, ledger.subnet(NETUID).await.expect("a subnet"));
    assert_eq!(state.metagraph.neurons[2].axon, Some(Axon { block: Block(2), ..axon }));
    for _ in 0..3 {
        ledger.produce_block().await.expect("a block");
    }
    assert!(!chain.bonds(NETUID, MechId(0), Uid(0)).await.expect("a row").is_empty(), "an epoch has run");
    assert_eq!(chain.subnet(NETUID).await.expect("a subnet").schedule.epoch.0, 1);
}

async fn check_reads(chain: &dyn Chain) {
    assert_eq!(chain.balance(coldkey(0).coldkey()).await.expect("a balance"), Rao(50_000_000_000));
    assert_eq!(chain.balance(Coldkey([99; 32])).await.expect("a balance"), Rao(0));
    assert_eq!(chain.burn(NETUID).await.expect("a price"), Rao(100_000_000));
    assert_eq!(chain.certificate(NETUID, hotkey(0)).await.expect("a subnet"), None);
    assert_eq!(chain.weights(NETUID, MechId(0), Uid(0)).await.expect("a row"), []);
    assert_eq!(chain.weights(NETUID, MechId(1), Uid(0)).await.expect("a row"), []);
    assert_eq!(chain.beacon(Block(0)).await.expect("a beacon").block, Block(0));
}

async fn check_errors(chain: &dyn Chain, signer: &Keypair) {
    let missing = Netuid(7);
    assert!(matches!(chain.subnet(missing).await, Err(ChainError::NoSubnet(netuid)) if netuid == missing));
    assert!(matches!(chain.burn(missing).await, Err(ChainError::NoSubnet(_))));
    assert!(matches!(chain.weights(missing, MechId(0), Uid(0)).await, Err(ChainError::NoSubnet(_))));
    assert!(matches!(chain.bonds(missing, MechId(0), Uid(0)).await, Err(ChainError::NoSubnet(_))));
    assert!(matches!(chain.certificate(missing, hotkey(0)).await, Err(ChainError::NoSubnet(_))));
    let future = chain.beacon(Block(1_000)).await;
    assert!(matches!(future, Err(ChainError::NoBlock { block: Block(1_000), head: Block(2) })), "{future:?}");
    let mut forged = chain.sign(signer, weights(&[(2, 4)])).await.expect("signs");
    let last = forged.bytes.len() - 1;
    forged.bytes[last] ^= 1;
    let refused = chain.submit(&forged).await;
    assert!(
        matches!(&refused, Err(ChainError::NotAccepted(why)) if why.contains("signature")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_ledger_in_process_is_a_chain() {
    let ledger = ledger();
    check(&ledger, &ledger).await;
}

#[tokio::test]
async fn execute_waits_for_the_block_and_gives_events_or_the_refusal() {
    let ledger = ledger();
    let producer = {
        let ledger = ledger.clone();
        async move {
            loop {
                ledger.produce_block().await.expect("a block");
            }
        }
    };
    let transfer = |amount| Call::Transfer { to: coldkey(1).coldkey(), amount: Rao(amount) };
    let signer = coldkey(0);
    let work = async {
        let (_, events) = ledger.execute(&signer, transfer(5)).await.expect("included");
        assert_eq!(events.len(), 1);
        let refused = ledger.execute(&signer, transfer(u64::MAX)).await;
        assert!(matches!(refused, Err(ChainError::Refused(Refusal::NotEnoughBalance { .. }))), "{refused:?}");
    };
    tokio::select! {
        () = work => {}
        () = producer => unreachable!("it never ends"),
    }
}

#[tokio::test]
async fn blocks_come_at_the_genesis_block_time() {
    let mut file = file();
    file.block_time = BlockTime::Every { millis: 12_000 };
    let genesis = Genesis::new(file).expect("valid");
    let clock = Arc::new(TestClock::default());
    let ledger =
        Ledger::in_memory(&genesis, Arc::clone(&clock) as Arc<dyn Clock>, &mut entropy()).expect("opens");
    let third = async {
        ledger.next_block(Block(2)).await.expect("a block");
    };
    ledger.run(third).await.expect("runs");
    assert_eq!(ledger.head().await.expect("a head").number, Block(3));
    assert_eq!(clock.monotonic().as_secs(), 36);
    assert_eq!(ledger.block_time(), Some(Duration::from_secs(12)));
}

#[tokio::test]
async fn preflight_says_what_the_ledger_will_say() {
    let ledger = ledger();
    let cases = [
        (1, vec![(2, 1)]),
        (1, vec![(9, 1)]),
        (3, vec![(3, 1)]),
        (99, vec![(2, 1)]),
        (2, vec![(2, 1), (2, 1)]),
    ];
    for (seed, row) in cases {
        let Call::SetWeights(call) = weights(&row) else { unreachable!("made above") };
        let state = ledger.subnet(NETUID).await.expect("a subnet");
        let said = crate::preflight(&state, &key(seed).hotkey(), &call);
        let mut applied = ledger.newest().state.clone();
        let done = apply(&mut applied, key(seed).public(), Call::SetWeights(call));
        assert_eq!(said, done.map(|_| ()), "{seed} {row:?}");
    }
}

//! Explanations, on the ledger.

use super::super::*;
use super::world::*;
use crate::Refusal;
use crate::explain::{Regime, explain};
use weighhouse_types::Hyperparameters;

#[tokio::test]
async fn everything_in_the_way_is_named_at_once_with_what_is_missing() {
    let mut file = file();
    file.subnets[0].hyperparameters = Hyperparameters { stake_threshold: Rao(1_000), ..rules() };
    let genesis = Genesis::new(file).expect("valid");
    let ledger = Ledger::in_memory(&genesis, clock(), &mut entropy()).expect("opens");
    let miner = explain(&ledger, NETUID, hotkey(2)).await.expect("a subnet");
    let expected =
        [Refusal::NotEnoughStakeToSetWeights { missing: Rao(1_000) }, Refusal::NeuronNoValidatorPermit];
    assert_eq!(miner.standings[0].obstacles, expected);
    assert_eq!(miner.short_of_permit, Some(Rao(1_000_000_000_000)));
    let stranger = explain(&ledger, NETUID, Hotkey([9; 32])).await.expect("a subnet");
    assert_eq!(stranger.standings[0].obstacles, [Refusal::HotKeyNotRegisteredInSubNet]);
    let validator = explain(&ledger, NETUID, hotkey(0)).await.expect("a subnet");
    assert_eq!((validator.regime, validator.short_of_permit), (Regime::Plain, None));
    assert!(
        validator
            .to_string()
            .ends_with("mechanism 0: the chain would take weights now, if they are well-formed\n"),
        "{validator}"
    );
    assert!(matches!(execute(&ledger, &key(1), weights(&[(2, 1)])).await, CallOutcome::Included { .. }));
    let hasty = explain(&ledger, NETUID, hotkey(0)).await.expect("a subnet");
    assert_eq!(hasty.standings[0].obstacles, [Refusal::SettingWeightsTooFast { blocks: 1 }]);
}

#[tokio::test]
async fn hidden_weights_are_said_to_be_and_what_waits_is_listed() {
    let mut file = file();
    file.subnets[0].hyperparameters =
        Hyperparameters { commit_reveal_weights_enabled: true, reveal_period_epochs: 3, ..rules() };
    let genesis = Genesis::new(file).expect("valid");
    let ledger = Ledger::in_memory(&genesis, clock(), &mut entropy()).expect("opens");
    let hash = Digest([3; 32]);
    let commit = Call::CommitWeights { netuid: NETUID, mechanism: MechId(0), hash };
    assert!(matches!(execute(&ledger, &key(1), commit).await, CallOutcome::Included { .. }));
    let explained = explain(&ledger, NETUID, hotkey(0)).await.expect("a subnet");
    assert_eq!(explained.regime, Regime::Timelocked { version: 4, reveal_period: 3 });
    assert_eq!(explained.standings[0].obstacles, [Refusal::CommittingWeightsTooFast { blocks: 1 }]);
    assert_eq!(explained.standings[0].waiting.len(), 1);
    let text = explained.to_string();
    assert!(text.contains("of block 1, epoch 0, waits for its reveal"), "{text}");
}

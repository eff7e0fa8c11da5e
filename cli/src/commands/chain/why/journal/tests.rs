use weighhouse_types::{Block, Digest, IntentUpdate, VoidCause, VoidRound, sample};

use super::*;

const EPOCH: Epoch = Epoch(7);

fn records(last: Vec<Record>) -> (Vec<Record>, (Netuid, Hotkey)) {
    let context = sample::context(sample::subnet(EPOCH, Block(100), vec![sample::neuron(0)]));
    let of = (context.netuid, context.validator);
    let opened = Record::EpochOpened(Box::new(context));
    let void = Record::VoidRound(VoidRound::new(EPOCH, 2, VoidCause::Reference, "away"));
    ([vec![opened, void], last].concat(), of)
}

fn told(last: Vec<Record>) -> Option<String> {
    let (records, (netuid, hotkey)) = records(last);
    in_epoch(&records, netuid, hotkey).map(|word| word.to_string())
}

fn update(epoch: Epoch, state: IntentState) -> Record {
    Record::IntentUpdate(IntentUpdate { intent: Digest([1; 32]), epoch, state })
}

#[test]
fn the_last_decision_is_told_with_its_reason() {
    let abstained = Record::Abstained { epoch: EPOCH, why: "nobody earned".to_owned() };
    let earlier = update(Epoch(5), IntentState::Published { block: Block(3) });
    let void = "; 1 rounds were void, the last because away";
    assert_eq!(
        told(vec![abstained, earlier.clone()]).as_deref(),
        Some(&*format!("its journal: in epoch 7 the validator published nothing: nobody earned{void}"))
    );
    let failed = update(EPOCH, IntentState::Failed { why: "too late".to_owned() });
    assert_eq!(
        told(vec![failed]).as_deref(),
        Some(&*format!("its journal: in epoch 7 its weights were not published: too late{void}"))
    );
    assert_eq!(told(vec![earlier]), None);
    let decided = Record::Abstained { epoch: EPOCH, why: String::new() };
    let (records, (netuid, _)) = records(vec![decided]);
    assert!(in_epoch(&records, netuid, Hotkey([99; 32])).is_none(), "another validator's journal");
}

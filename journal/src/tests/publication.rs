use weighhouse_types::{Block, Digest, Epoch, IntentState, Record};

use super::sample::{intent, judged, update};
use crate::{Publication, open_intents, publications, published};

fn signed() -> IntentState {
    IntentState::Signed { extrinsic: vec![1], hash: Digest::of(&[1]), expires: Block(9) }
}

const PUBLISHED: IntentState = IntentState::Published { block: Block(8) };

#[test]
fn an_intent_is_open_until_it_is_published_or_failed() {
    let intent = intent(1, 10);
    let failed = IntentState::Failed { why: "refused".to_owned() };
    let states =
        [None, Some(signed()), Some(IntentState::Included { block: Block(7) }), Some(IntentState::Expired)];
    for state in states {
        let mut records = vec![judged(1, 0), Record::Intent(intent.clone())];
        records.extend(state.clone().map(|state| update(&intent, state)));
        assert_eq!(open_intents(&records), [Publication { intent: &intent, state: state.as_ref() }]);
        assert_eq!(published(&records), None);
    }
    for state in [PUBLISHED, failed] {
        let records = [Record::Intent(intent.clone()), update(&intent, signed()), update(&intent, state)];
        assert_eq!(open_intents(&records), []);
    }
}

#[test]
fn the_last_intent_of_an_epoch_counts_and_old_news_do_not_touch_it() {
    let (old, new) = (intent(1, 10), intent(1, 20));
    let records = [
        Record::Intent(old.clone()),
        update(&old, signed()),
        Record::Intent(new.clone()),
        update(&old, PUBLISHED),
    ];
    assert_eq!(open_intents(&records), [Publication { intent: &new, state: None }]);
    assert_eq!(published(&records), Some(&old));
}

#[test]
fn news_in_a_later_epoch_reach_the_intent() {
    let (first, second) = (intent(1, 10), intent(2, 10));
    let records = [
        Record::Intent(first.clone()),
        Record::Intent(second.clone()),
        update(&second, signed()),
        update(&first, PUBLISHED),
    ];
    assert_eq!(open_intents(&records), [Publication { intent: &second, state: Some(&signed()) }]);
    assert_eq!(published(&records), Some(&first));
    assert!(publications(&records)[&Epoch(1)].is_closed());
    assert_eq!(published(&records[1..]), None);
}

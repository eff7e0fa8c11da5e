use weighhouse_types::{Block, Digest, Epoch, Intent, IntentState, Record, Seal};

use super::sample::{intent, judged, update};
use crate::{Publication, open_intents, publications, published};

fn signed() -> IntentState {
    IntentState::Signed { extrinsic: vec![1], hash: Digest::of(&[1]), expires: Block(9) }
}

fn open(intent: &Intent, state: Option<&IntentState>) -> Publication {
    Publication { state: state.cloned(), ..Publication::new(intent.clone()) }
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
        assert_eq!(open_intents(&records), [open(&intent, state.as_ref())]);
        assert_eq!(published(&records), None);
    }
    let missed = IntentState::Missed { why: "never opened".to_owned() };
    for state in [PUBLISHED, failed, missed] {
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
    assert_eq!(open_intents(&records), [open(&new, None)]);
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
    assert_eq!(open_intents(&records), [open(&second, Some(&signed()))]);
    assert_eq!(published(&records), Some(&first));
    assert!(publications(&records)[&Epoch(1)].is_closed());
    assert_eq!(published(&records[1..]), None);
}

#[test]
fn a_commit_is_remembered_with_its_seal_while_it_waits() {
    let intent = intent(1, 10);
    let seal = Seal::Salted { salt: vec![7, 8] };
    let committed = IntentState::Committed { block: Block(9), epoch: Epoch(1) };
    let revealing = IntentState::Revealing { extrinsic: vec![2], hash: Digest::of(&[2]), expires: Block(20) };
    let mut records =
        vec![Record::Intent(intent.clone()), update(&intent, IntentState::Sealed { seal: seal.clone() })];
    assert_eq!(open_intents(&records)[0].seal.as_ref(), Some(&seal));
    records.extend([update(&intent, committed), update(&intent, revealing.clone())]);
    let waiting = Publication {
        seal: Some(seal),
        committed: Some((Block(9), Epoch(1))),
        ..open(&intent, Some(&revealing))
    };
    assert_eq!(open_intents(&records), [waiting]);
    // A new intent begins anew.
    records.push(Record::Intent(intent.clone()));
    assert_eq!(open_intents(&records), [open(&intent, None)]);
}

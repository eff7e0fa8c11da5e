use weighhouse_types::{Digest, Intent, MechId, Netuid, Uid, WeightVector};

use super::*;

const BLOCK: Block = Block(7);

fn publication(state: Option<IntentState>) -> Publication {
    let weights = WeightVector::new(vec![(Uid(1), u16::MAX)]).expect("a vector");
    let (epoch, netuid, mechanism) = (Epoch(3), Netuid(1), MechId(0));
    let id = Intent::digest(epoch, netuid, mechanism, &weights, 0);
    let intent = Intent { id, epoch, netuid, mechanism, weights, version_key: 0, supersedes: None };
    Publication { state, committed: Some((BLOCK, Epoch(3))), ..Publication::new(intent) }
}

fn call() -> SignedCall {
    SignedCall { bytes: vec![1], hash: Digest::of(&[1]), expires: Block(40) }
}

fn seal() -> Seal {
    Seal::Salted { salt: vec![5; 8] }
}

fn states() -> Vec<Option<IntentState>> {
    let (extrinsic, hash, expires, block) = (vec![1], Digest::of(&[1]), Block(40), BLOCK);
    vec![
        None,
        Some(IntentState::Expired),
        Some(IntentState::Sealed { seal: seal() }),
        Some(IntentState::Signed { extrinsic: extrinsic.clone(), hash, expires }),
        Some(IntentState::Committing { extrinsic: extrinsic.clone(), hash, expires }),
        Some(IntentState::Revealing { extrinsic, hash, expires }),
        Some(IntentState::Included { block }),
        Some(IntentState::Committed { block, epoch: Epoch(3) }),
        Some(IntentState::Revealed { block }),
        Some(IntentState::Published { block }),
        Some(IntentState::Failed { why: String::new() }),
        Some(IntentState::Missed { why: String::new() }),
    ]
}

fn events() -> Vec<Event> {
    vec![
        Event::Nothing,
        Event::Postponed(Refusal::CommitRevealEnabled),
        Event::Obstructed(String::new()),
        Event::Sealed(seal()),
        Event::SealOutdated,
        Event::Signed(call()),
        Event::Included(BLOCK),
        Event::CommitIncluded(BLOCK, Epoch(3)),
        Event::NotTaken(None),
        Event::Refused(Refusal::CommitRevealEnabled),
        Event::Lost(String::new()),
        Event::ReadBack(BLOCK),
        Event::NotShown(String::new()),
    ]
}

fn name(state: Option<&IntentState>) -> &'static str {
    state.map_or("intended", crate::publish::tests::word)
}

/// Every transition there is, as `from -> to` with the number of events that lead there.
fn transitions() -> std::collections::BTreeMap<(&'static str, &'static str), Vec<Event>> {
    let mut found = std::collections::BTreeMap::<_, Vec<Event>>::new();
    for state in states() {
        for event in events() {
            let before = publication(state.clone());
            if let Some(after) = next(&before, event.clone()) {
                found.entry((name(state.as_ref()), name(Some(&after)))).or_default().push(event);
            }
        }
    }
    found
}

#[test]
fn the_transitions_are_those_that_the_architecture_page_draws() {
    let page = include_str!("../../../../docs/ARCHITECTURE.md");
    let drawn = page.lines().filter_map(|line| {
        let (from, to) = line.trim().split_once(" --> ")?;
        let to = to.split(':').next()?.trim();
        (from != "[*]" && to != "[*]").then_some((from.to_owned(), to.to_owned()))
    });
    let mut drawn: Vec<_> = drawn.collect();
    drawn.sort();
    let found: Vec<_> =
        transitions().into_keys().map(|(from, to)| (from.to_owned(), to.to_owned())).collect();
    assert_eq!(found, drawn);
}

#[test]
fn nothing_is_published_but_what_was_read_back() {
    for ((from, to), events) in transitions() {
        if to == "published" {
            assert!(["included", "committed", "revealed"].contains(&from), "{from}");
            assert!(events.iter().all(|event| matches!(event, Event::ReadBack(_))), "{events:?}");
        }
    }
}

#[test]
fn a_commit_is_signed_only_once_its_seal_is_journalled() {
    let before: Vec<_> =
        transitions().into_keys().filter(|(_, to)| *to == "committing").map(|(from, _)| from).collect();
    assert_eq!(before, ["sealed"]);
}

#[test]
fn a_state_that_is_final_stays() {
    let left = transitions().into_keys().find(|(from, _)| ["published", "failed", "missed"].contains(from));
    assert_eq!(left, None);
}

//! Bytes that records name by digest: all of them are there, and nothing else is.

use std::collections::BTreeSet;

use weighhouse_types::{ChallengePhase, ChallengeRecord, Digest, Exchange, Record};

/// Everything that is missing or that nobody names. Of what was removed the number is all that shows: were any other record among
/// it, there would be more than what is named.
pub(super) fn check(records: &[Record], removed: usize) -> Vec<String> {
    let held: BTreeSet<Digest> = records
        .iter()
        .filter_map(|record| match record {
            Record::Blob(blob) => Some(blob.digest()),
            _ => None,
        })
        .collect();
    let mut named = BTreeSet::new();
    records.iter().for_each(|record| name(record, &mut named));
    for request in derived_requests(records) {
        named.remove(&request);
    }
    if removed > 0 {
        let gone = named.difference(&held).count();
        let other = format!("{removed} records were removed, and the others name {gone} that are not there");
        return if gone == removed { Vec::new() } else { vec![other] };
    }
    let missing = named.difference(&held).map(|digest| format!("bytes {digest} are not recorded"));
    // Version 1 named a request in the answers to it alone.
    let names_requests =
        records.iter().all(|record| !matches!(record, Record::Asked(asked) if asked.request.is_none()));
    let unnamed = held.difference(&named).filter(|_| names_requests);
    let unnamed = unnamed.map(|digest| format!("bytes {digest} belong to no record"));
    missing.chain(unnamed).collect()
}

/// Requests that the seeds of the epoch's own challenges give, where its opening says that they are left out.
fn derived_requests(records: &[Record]) -> impl Iterator<Item = Digest> {
    let are_left_out = records.iter().any(
        |record| matches!(record, Record::EpochOpened(context) if context.fields.have_derived_requests()),
    );
    records.iter().filter(move |_| are_left_out).filter_map(|record| match record {
        Record::Asked(asked) => asked.request,
        _ => None,
    })
}

fn name(record: &Record, named: &mut BTreeSet<Digest>) {
    match record {
        Record::Asked(asked) => of_challenge(asked, named),
        Record::FollowUp(follow_up) => drop(named.insert(follow_up.request)),
        Record::Answered(answered) => {
            answered.outcome.iter().for_each(|exchange| of_exchange(exchange, named))
        }
        Record::Judged(judged) => judged.exchange.iter().for_each(|exchange| of_exchange(exchange, named)),
        Record::Evidence(said) => drop(named.insert(said.blob)),
        Record::JudgedTogether(joint) => named.extend(joint.findings),
        Record::PhaseChange(change) => {
            if let ChallengePhase::Resolved { truth } = change.phase {
                named.insert(truth);
            }
        }
        Record::CarriedChallenge(carried) => {
            named.insert(carried.task);
            of_challenge(&carried.asked, named);
            let exchanges = carried.answers.iter().filter_map(|answered| answered.outcome.as_ref().ok());
            exchanges.for_each(|exchange| of_exchange(exchange, named));
        }
        _ => {}
    }
}

fn of_challenge(asked: &ChallengeRecord, named: &mut BTreeSet<Digest>) {
    named.extend([asked.request, asked.secret, asked.reference].into_iter().flatten());
}

fn of_exchange(exchange: &Exchange, named: &mut BTreeSet<Digest>) {
    named.extend([exchange.request, exchange.answer]);
}

#[cfg(test)]
mod tests {
    use weighhouse_types::{Blob, Evidence, Fields, RegistrationId};

    use super::*;

    #[test]
    fn what_was_removed_is_as_many_as_are_named_and_no_other_record_hides_among_it() {
        let said = |blob: &[u8]| {
            Record::Evidence(Evidence {
                epoch: weighhouse_types::Epoch(1),
                round: 0,
                challenge: Digest::default(),
                who: RegistrationId {
                    hotkey: weighhouse_types::Hotkey([1; 32]),
                    registered_at: weighhouse_types::Block(1),
                },
                blob: Digest::of(blob),
                bins: Vec::new(),
                fields: Fields::default(),
            })
        };
        let whole = [Record::Blob(Blob::new(b"a".to_vec())), said(b"a"), said(b"b")];
        assert_eq!(check(&whole, 1), [""; 0]);
        assert_eq!(check(&whole[1..], 2), [""; 0]);
        // One of the records went with the blobs.
        assert_eq!(check(&whole[2..], 3).len(), 1);
        assert_eq!(check(&whole[1..], 1).len(), 1);
    }
}

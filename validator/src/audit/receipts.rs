//! The validator's signatures over each round's answers, and the receipts that miners hold against the record.

use std::collections::{BTreeMap, BTreeSet};

use weighhouse_types::{Acknowledgement, AnswerReceipt, EpochContext, ReceiptedRound, Record, RoundReceipts};
use weighhouse_wallet::receipt::{verify_acknowledgement, verify_round};

/// Everything wrong with the signatures over the rounds: one that doesn't hold, and answers that none covers.
pub(super) fn check(records: &[Record], context: &EpochContext) -> Vec<String> {
    // Version 1 has none.
    if context.judge.is_none() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let mut signed = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        let Record::RoundReceipts(receipts) = record else { continue };
        let RoundReceipts { round, unix_us, signature, .. } = receipts;
        // Those who were asked later in a round have it signed anew.
        let answers = AnswerReceipt::of_round(&records[..at], context.epoch, *round);
        let receipted = ReceiptedRound::of(context, *round, *unix_us);
        if answers.is_empty() || verify_round(&receipted, &answers, signature).is_err() {
            problems
                .push(format!("round {round}: the validator's signature is not over the answers on record"));
        }
        signed.insert(*round, answers.len());
    }
    let void: BTreeSet<u32> = rounds(records, |record| match record {
        Record::VoidRound(void) => Some(void.round),
        _ => None,
    });
    let answered = rounds(records, |record| match record {
        Record::Judged(judged) if judged.asked_in == context.epoch => {
            judged.exchange.as_ref().map(|_| judged.round)
        }
        Record::Answered(answered) if answered.epoch == context.epoch => {
            answered.outcome.as_ref().ok().map(|_| answered.round)
        }
        _ => None,
    });
    for round in answered {
        let answers = AnswerReceipt::of_round(records, context.epoch, round).len();
        let covered = signed.get(&round).copied().unwrap_or(0);
        // A round that was cut off between two stages is void before anything was signed.
        if covered != answers && !(covered == 0 && void.contains(&round)) {
            problems.push(format!(
                "round {round}: the validator has signed for {covered} of {answers} answers on record"
            ));
        }
    }
    problems
}

fn rounds(records: &[Record], of: impl Fn(&Record) -> Option<u32>) -> BTreeSet<u32> {
    records.iter().filter_map(of).collect()
}

/// Compares miners' receipts with an epoch's records; gives the number that are of this epoch, and what they prove against it.
pub(super) fn held_against(
    receipts: &[Acknowledgement],
    records: &[Record],
    context: &EpochContext,
) -> (usize, Vec<String>) {
    let mut problems = Vec::new();
    let mut compared = 0;
    for acknowledged in receipts {
        let Acknowledgement { round, receipt, .. } = acknowledged;
        if *round != ReceiptedRound::of(context, round.round, round.unix_us) {
            continue;
        }
        let name = format!("a receipt of {} for round {}", receipt.hotkey, round.round);
        if let Err(error) = verify_acknowledgement(acknowledged) {
            problems.push(format!("{name}: {error}"));
            continue;
        }
        compared += 1;
        let on_record = AnswerReceipt::of_round(records, context.epoch, round.round);
        if !on_record.contains(receipt) {
            let known =
                on_record.iter().any(|other| (other.hotkey, other.stage) == (receipt.hotkey, receipt.stage));
            let how = if known { "has another answer" } else { "leaves it out" };
            problems.push(format!(
                "{name}: the validator has signed for answer {}, and its record {how}",
                receipt.answer
            ));
        }
    }
    (compared, problems)
}

//! Epochs as a dishonest keeper would rewrite them: counts, receipts and vector fit what is left.

use std::collections::BTreeMap;

use weighhouse_journal::receipts_root;
use weighhouse_scoring::{Decision, weigh};
use weighhouse_types::{
    Acknowledgement, AnswerReceipt, Blob, Digest, EpochContext, EpochCounts, Failure, Fields, Hotkey, Intent,
    Judgement, Mark, Reason, Receipt, ReceiptedRound, Record, RoundReceipts, VerdictRecord, VoidCause,
    VoidRound,
};
use weighhouse_wallet::keypair::Keypair;
use weighhouse_wallet::receipt::{acknowledgements, sign};

/// What is done to the records of an epoch, and words of the complaint that it has to meet.
pub(super) struct Forgery {
    pub(super) name: &'static str,
    pub(super) complaint: &'static str,
    pub(super) forge: fn(&mut Vec<Record>),
}

/// Bytes of ten probabilities, and the least that stands before the rows.
const ROW: usize = 40;
const HEAD: usize = 33;

pub(super) const ALL: &[Forgery] = &[
    Forgery {
        name: "an honest miner is framed by another reference",
        complaint: "reference's word on record is not its model's",
        forge: |records| frame(records),
    },
    Forgery {
        name: "an answer is counted again under another round",
        complaint: "asked in another round",
        forge: |records| count_again(records, false),
    },
    Forgery {
        name: "a challenge and its answer are copied to another round",
        complaint: "challenge",
        forge: |records| count_again(records, true),
    },
    Forgery {
        name: "a verdict is left out",
        complaint: "no verdict on uids",
        forge: |records| {
            let Some(victim) = honest(records).cloned() else { return };
            records.retain(|record| !matches!(record, Record::Judged(judged) if *judged == victim));
        },
    },
    Forgery {
        name: "a miner is left out of every round",
        complaint: "no verdict on uids",
        forge: |records| {
            let Some(victim) = honest(records).cloned() else { return };
            records.retain(|record| !matches!(record, Record::Judged(judged) if judged.who == victim.who));
        },
    },
    Forgery {
        name: "a round is left out",
        complaint: "neither asked nor is it void",
        forge: |records| forget_round(records, 1),
    },
    Forgery {
        name: "a round that was judged is declared void",
        complaint: "and was judged nevertheless",
        forge: |records| {
            if let Some(at) = records.iter().position(|record| matches!(record, Record::Judged(_))) {
                records.insert(at, void(records, 0));
            }
        },
    },
    Forgery {
        name: "a round is asked beyond the epoch's number",
        complaint: "were asked, and the epoch has",
        forge: |records| {
            if let Some(Record::EpochOpened(context)) = records.first_mut() {
                context.fields = weighhouse_types::Fields::default().with_rounds(2);
            }
        },
    },
    Forgery {
        name: "the end is cut off",
        complaint: "no closing record",
        forge: |records| {
            records.retain(|record| !is_closing(record));
        },
    },
    Forgery {
        name: "an answer is exchanged for another's",
        complaint: "uid",
        forge: |records| exchange_answers(records),
    },
    Forgery {
        name: "a round's answers aren't signed for",
        complaint: "has signed for 0 of",
        forge: |records| records.retain(|record| !matches!(record, Record::RoundReceipts(_))),
    },
    Forgery {
        name: "a mark is raised",
        complaint: "the judge says something else",
        forge: |records| {
            let best = honest(records).map(|judged| judged.judgement.clone());
            let worst = records.iter_mut().find_map(|record| match record {
                Record::Judged(judged)
                    if judged.exchange.is_some() && judged.judgement.mark.billionths() == 0 =>
                {
                    Some(judged)
                }
                _ => None,
            });
            if let (Some(best), Some(worst)) = (best, worst) {
                worst.judgement = best;
            }
        },
    },
];

/// Makes the signatures over rounds, closing record and intent fit the records: a keeper has the validator's key.
pub(super) fn fit(records: &mut Vec<Record>, keypair: &Keypair) {
    sign_rounds(records, keypair);
    let at = records.iter().position(is_closing).unwrap_or(records.len());
    let (before, after) = records.split_at_mut(at);
    if let Some(Record::EpochClosed(closed)) = after.first_mut() {
        closed.counts = EpochCounts::of(before.iter());
        closed.receipts = receipts_root(&Receipt::all(before.iter()));
    }
    let Ok(Decision::Weights { vector, .. }) = weigh(records) else { return };
    let mut renamed = None;
    for record in records.iter_mut() {
        if let Record::Intent(intent) = record {
            let old = intent.id;
            let Intent { epoch, netuid, mechanism, version_key, .. } = *intent;
            intent.weights = vector.clone();
            intent.id = Intent::digest(epoch, netuid, mechanism, &vector, version_key);
            renamed = Some((old, intent.id));
        }
    }
    for record in records {
        if let (Record::IntentUpdate(update), Some((old, new))) = (record, renamed)
            && update.intent == old
        {
            update.intent = new;
        }
    }
}

fn sign_rounds(records: &mut Vec<Record>, keypair: &Keypair) {
    let Some(context) = context(records).cloned() else { return };
    let closed = records.iter().position(is_closing).unwrap_or(records.len());
    let mut times = BTreeMap::new();
    for record in &records[..closed] {
        if let Record::RoundReceipts(receipts) = record {
            times.insert(receipts.round, receipts.unix_us);
        }
    }
    records.retain(|record| !matches!(record, Record::RoundReceipts(_)));
    let closed = records.iter().position(is_closing).unwrap_or(records.len());
    let mut signed = Vec::new();
    for (round, unix_us) in times {
        let receipts = AnswerReceipt::of_round(&records[..closed], context.epoch, round);
        if !receipts.is_empty() {
            let signature = sign(&ReceiptedRound::of(&context, round, unix_us), keypair, &receipts);
            let (epoch, fields) = (context.epoch, Fields::default());
            signed.push(Record::RoundReceipts(RoundReceipts { epoch, round, unix_us, signature, fields }));
        }
    }
    records.splice(closed..closed, signed);
}

/// Rewrites a miner that is paid as silent in all rounds; gives who it was.
pub(super) fn silence(records: &mut Vec<Record>) -> Option<Hotkey> {
    let victim = honest(records)?.who;
    for record in records.iter_mut() {
        if let Record::Judged(judged) = record
            && judged.who == victim
        {
            judged.exchange = None;
            let reasons = vec![Reason::Silent { failure: Failure::Unreachable }];
            judged.judgement = Judgement { mark: Mark::ZERO, reasons };
        }
    }
    drop_unnamed(records);
    Some(victim.hotkey)
}

/// The receipts that a miner has from an epoch's true records.
pub(super) fn held(records: &[Record], miner: Hotkey) -> Vec<Acknowledgement> {
    let Some(context) = context(records) else { return Vec::new() };
    let rounds = records.iter().filter_map(|record| match record {
        Record::RoundReceipts(receipts) => Some(receipts),
        _ => None,
    });
    let told = rounds.flat_map(|receipts| {
        let round = ReceiptedRound::of(context, receipts.round, receipts.unix_us);
        let answers = AnswerReceipt::of_round(records, context.epoch, receipts.round);
        acknowledgements(&round, &answers, &receipts.signature)
    });
    told.filter(|told| told.receipt.hotkey == miner).collect()
}

fn is_closing(record: &Record) -> bool {
    matches!(record, Record::EpochClosed(_))
}

/// The verdict of a miner that is paid.
fn honest(records: &[Record]) -> Option<&VerdictRecord> {
    records.iter().find_map(|record| match record {
        Record::Judged(judged) if judged.judgement.mark.billionths() > 0 => Some(judged),
        _ => None,
    })
}

fn context(records: &[Record]) -> Option<&EpochContext> {
    match records.first() {
        Some(Record::EpochOpened(context)) => Some(context),
        _ => None,
    }
}

fn void(records: &[Record], round: u32) -> Record {
    let epoch = context(records).map(|context| context.epoch).unwrap_or_default();
    Record::VoidRound(VoidRound::new(epoch, round, VoidCause::Capacity, "no room"))
}

fn forget_round(records: &mut Vec<Record>, round: u32) {
    records.retain(|record| match record {
        Record::Asked(asked) => asked.round != round,
        Record::Judged(judged) => judged.round != round,
        Record::Evidence(evidence) => evidence.round != round,
        Record::CheckDraw(draw) => draw.round != round,
        Record::Likeness(likeness) => likeness.round != round,
        _ => true,
    });
    drop_unnamed(records);
}

/// A second verdict on the same answer; with a challenge of the other round's number for it where that is wanted.
fn count_again(records: &mut Vec<Record>, with_challenge: bool) {
    let Some(judged) = honest(records).cloned() else { return };
    let rounds = context(records).and_then(|context| context.fields.rounds()).unwrap_or(3);
    let round = (judged.round + 1) % rounds;
    let asked = records.iter().find_map(|record| match record {
        Record::Asked(asked) if asked.challenge == judged.challenge => Some(asked.clone()),
        _ => None,
    });
    let at = records.iter().position(is_closing).unwrap_or(records.len());
    let mut again = VerdictRecord { round, ..judged };
    let mut added = Vec::new();
    if let (Some(mut asked), true) = (asked, with_challenge) {
        again.challenge = Digest::of(b"a challenge of its own");
        (asked.challenge, asked.round) = (again.challenge, round);
        added.push(Record::Asked(asked));
    }
    added.push(Record::Judged(again));
    records.splice(at..at, added);
}

/// Two miners' answers change places.
fn exchange_answers(records: &mut [Record]) {
    let answered = records.iter().enumerate().filter_map(|(at, record)| match record {
        Record::Judged(judged) if judged.exchange.is_some() => Some((at, judged.who)),
        _ => None,
    });
    let answered: Vec<_> = answered.collect();
    let Some((first, who)) = answered.first().copied() else { return };
    let Some((second, _)) = answered.iter().find(|(_, other)| *other != who).copied() else { return };
    let exchange_of = |record: &Record| match record {
        Record::Judged(judged) => judged.exchange.clone(),
        _ => None,
    };
    let (one, other) = (exchange_of(&records[first]), exchange_of(&records[second]));
    for (at, exchange) in [(first, other), (second, one)] {
        if let Record::Judged(judged) = &mut records[at] {
            judged.exchange = exchange;
        }
    }
}

/// In the reference of an honest miner's challenge every class takes its neighbour's place.
fn frame(records: &mut [Record]) {
    let Some(challenge) = honest(records).map(|judged| judged.challenge) else { return };
    let said = records.iter().find_map(|record| match record {
        Record::Asked(asked) if asked.challenge == challenge => asked.reference,
        _ => None,
    });
    let mut forged = None;
    for record in records.iter_mut() {
        if let Record::Blob(blob) = record
            && Some(blob.digest()) == said
        {
            let mut bytes = blob.bytes().to_vec();
            let rows = bytes.len() - (bytes.len() - HEAD) / ROW * ROW;
            bytes[rows..].chunks_mut(ROW).for_each(|row| row.rotate_left(ROW / 10));
            *blob = Blob::new(bytes);
            forged = Some(blob.digest());
        }
    }
    for record in records {
        if let Record::Asked(asked) = record
            && asked.challenge == challenge
        {
            asked.reference = forged;
        }
    }
}

/// Bytes that no record names any more.
fn drop_unnamed(records: &mut Vec<Record>) {
    let text = |record: &Record| serde_json::to_string(record).unwrap_or_default();
    let named: String =
        records.iter().filter(|record| !matches!(record, Record::Blob(_))).map(text).collect();
    records.retain(|record| match record {
        Record::Blob(blob) => named.contains(&blob.digest().to_string()),
        _ => true,
    });
}

use parity_scale_codec::DecodeAll;

use super::*;
use crate::sealed::ChainRoot;
use crate::{Digest, Hotkey, Judgement, Mark, Uid};

fn judged(fields: Fields) -> VerdictRecord {
    let who = RegistrationId { hotkey: crate::Hotkey([7; 32]), registered_at: Block(1) };
    let exchange = Exchange {
        request: Digest::of(b"request"),
        answer: Digest::of(b"answer"),
        model: Digest::of(b"model"),
        signature: vec![1; 65],
        latency_us: 9,
    };
    VerdictRecord {
        challenge: Digest::of(b"challenge"),
        epoch: Epoch(4),
        round: 0,
        uid: Uid(1),
        who,
        exchange: Some(exchange),
        judgement: Judgement { mark: Mark::MAX, reasons: Vec::new() },
        asked_in: Epoch(4),
        stage: 0,
        fields,
    }
}

fn field(name: &str, value: FieldValue) -> Fields {
    [Field { name: name.to_owned(), value }].into_iter().collect()
}

#[test]
fn a_field_of_later_date_is_refused_by_its_name() {
    let known = Record::Judged(judged(Fields::on_the_word_of("judge.example:9000")));
    assert_eq!(known.unknown(), None);
    let later = Record::Judged(judged(field("escrow", FieldValue::Unsigned(3))));
    assert_eq!(later.unknown().as_deref(), Some("escrow (unsigned)"));
    let other_type = Record::Judged(judged(field("operator", FieldValue::Flag(true))));
    assert_eq!(other_type.unknown().as_deref(), Some("operator (flag)"));
    let extension = Extension { name: "dispute".to_owned(), epoch: Epoch(4), fields: Fields::default() };
    assert_eq!(Record::Extension(extension).unknown().as_deref(), Some("dispute"));
}

#[test]
fn a_value_of_a_later_type_is_refused_by_its_fields_name() {
    let mut bytes = Record::Judged(judged(field("escrow", FieldValue::Flag(true)))).encode();
    let tag = bytes.len() - 2;
    assert_eq!(bytes[tag..], [0, 1]);
    bytes[tag] = 99;
    let error = Record::decode_all(&mut &bytes[..]).expect_err("a type that doesn't exist");
    assert!(error.to_string().contains("escrow"), "{error}");
}

#[test]
fn more_and_longer_fields_than_a_record_may_have_do_not_decode() {
    let many: Fields =
        (0..33).map(|at| Field { name: format!("f{at}"), value: FieldValue::Flag(true) }).collect();
    assert!(Fields::decode_all(&mut &many.encode()[..]).is_err());
    let long = field("x", FieldValue::Text("y".repeat((256 << 10) + 1)));
    assert!(Fields::decode_all(&mut &long.encode()[..]).is_err());
    let named = field(&"n".repeat(65), FieldValue::Flag(true));
    assert!(Fields::decode_all(&mut &named.encode()[..]).is_err());
    let operator = "é".repeat(1_000);
    let cut = Fields::on_the_word_of(&operator);
    assert_eq!(Fields::decode_all(&mut &cut.encode()[..]).as_ref(), Ok(&cut));
    assert!(cut.operator().is_some_and(|cut| operator.starts_with(cut)));
}

#[test]
fn a_division_and_what_the_chain_had_are_read_back_and_nothing_else_passes_for_them() {
    let registration = |at: u16| RegistrationId {
        hotkey: Hotkey([at.to_le_bytes()[0]; 32]),
        registered_at: Block(at.into()),
    };
    let miners: Vec<RegistrationId> = (0..4_096).map(registration).collect();
    let root = ChainRoot { by: Block(7), root: Some(Digest::of(b"root")) };
    let all = [Fields::of_those_asked(&miners), Fields::committed_by(Block(9)), Fields::under(Some(root))];
    let again = all.map(|fields| Fields::decode_all(&mut &fields.encode()[..]).expect("as written"));
    assert!(again.iter().all(|fields| fields.unknown().is_none()));
    assert_eq!(again[0].asked_of(), Some(miners));
    assert_eq!((again[1].commit_by(), again[2].chain_root()), (Some(Block(9)), Some(root)));
    assert!(Fields::under(None).is_empty());
    for name in ["asked_of", "chain_root", "commit_by"] {
        assert!(field(name, FieldValue::Bytes(vec![9])).unknown().is_some(), "{name}");
    }
}

#[test]
fn an_answer_has_one_receipt_in_the_epoch_that_received_it() {
    let verdict = judged(Fields::default());
    let Some(exchange) = verdict.exchange.clone() else { panic!("an exchange") };
    let answered = StageRecord {
        challenge: verdict.challenge,
        epoch: verdict.epoch,
        round: 0,
        stage: 0,
        uid: verdict.uid,
        who: verdict.who,
        outcome: Ok(exchange.clone()),
        fields: Fields::default(),
    };
    let silent = StageRecord { outcome: Err(Failure::NoAxon), ..answered.clone() };
    let revealed = Exchange { answer: Digest::of(b"reveal"), ..exchange };
    let late = VerdictRecord { asked_in: Epoch(2), ..verdict.clone() };
    let records = [
        Record::Answered(answered),
        Record::Answered(silent),
        Record::Judged(verdict.clone()),
        Record::Judged(VerdictRecord { exchange: Some(revealed.clone()), stage: 1, ..verdict.clone() }),
        Record::Judged(late),
        Record::VoidRound(VoidRound::new(Epoch(4), 1, VoidCause::Capacity, &"é".repeat(1 << 10))),
    ];
    let receipts = Receipt::all(&records);
    let answers: Vec<_> = receipts.iter().map(|receipt| receipt.answer).collect();
    assert_eq!(answers, [Digest::of(b"answer"), Digest::of(b"reveal")]);
    let counts = EpochCounts { challenges: 0, receipts: 2, verdicts: 3, void_rounds: 1 };
    assert_eq!(EpochCounts::of(records.iter()), counts);
}

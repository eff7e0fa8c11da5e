use super::*;

fn statement() -> PayStatement {
    PayStatement {
        genesis: Digest::of(b"genesis"),
        netuid: Netuid(1),
        mechanism: MechId(0),
        epoch: Epoch(42),
        validator: Hotkey([1; 32]),
        uid: Uid(3),
        who: RegistrationId { hotkey: Hotkey([2; 32]), registered_at: Block(9) },
        task: "generate".to_owned(),
        published: Some(Block(500)),
        answers: 2,
        accepted_worth: Mark::MAX,
        carried: Some(-5),
        average: -7,
        score: 0,
        rating: "scored".to_owned(),
        reasons: "1 of 2 answers within tolerance".to_owned(),
        weight: Some(65_535),
        abstains: None,
        share: 400_000_000,
        share_without: 500_000_000,
        losses: vec![Loss {
            check: "betrayed".to_owned(),
            phrase: "not by the agreed model".to_owned(),
            answers: 1,
            marks: 2_000_000_000,
            lost: 100_000_000,
            share_without: 500_000_000,
            example: Some(LossExample {
                asked_in: Epoch(42),
                round: 1,
                text: "betrayed: token 3".to_owned(),
            }),
        }],
        pay: Some(SubnetPay { shown_in: Epoch(43), miners: Rao(1_000), own: Rao(400) }),
        verdicts: vec![JudgedAnswer {
            asked_in: Epoch(41),
            round: 1,
            challenge: Digest::of(b"challenge"),
            mark: Mark::MIN,
            checked: true,
            reasons: vec![ToldReason { code: "betrayed".to_owned(), text: "betrayed: token 3".to_owned() }],
            latency_us: None,
        }],
        omitted: 1,
    }
}

#[test]
fn a_statement_round_trips() {
    let encoded = encode_statement(statement());
    assert_eq!(decode_statement(&encoded), Ok(statement()));
    assert!(matches!(decode_statement(&encoded[1..]), Err(StatementError::Read(_))));
    assert_ne!(statement_digest(&encoded), statement_digest(&encoded[1..]));
}

#[test]
fn what_no_honest_validator_says_is_refused() {
    type Change = fn(&mut v1::PayStatement);
    let changes: [(Change, &str); 6] = [
        (|message| message.validator.truncate(31), "validator doesn't have 32 bytes"),
        (|message| message.uid = 65_536, "uid is too large"),
        (|message| message.share = 1_000_000_001, "share is more than the whole"),
        (|message| message.losses[0].lost = i64::MIN, "losses are more than the whole"),
        (|message| message.verdicts[0].mark = 1_000_000_001, "mark is outside [-1, 1]"),
        (|message| message.verdicts[0].challenge.clear(), "challenge doesn't have 32 bytes"),
    ];
    for (change, expected) in changes {
        let mut message = v1::PayStatement::from(statement());
        change(&mut message);
        assert_eq!(PayStatement::try_from(message).expect_err(expected).to_string(), expected);
    }
}

#[test]
fn words_are_cut_and_lose_their_control_characters() {
    let mut message = v1::PayStatement::from(statement());
    message.reasons = format!("\u{1b}[2J{}", "x".repeat(1_000));
    let read = PayStatement::try_from(message).expect("read");
    assert_eq!(read.reasons.chars().count(), TEXT_CHARACTERS_MAX);
    assert!(!read.reasons.contains(char::is_control));
}

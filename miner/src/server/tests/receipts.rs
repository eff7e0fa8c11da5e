//! Receipts as a validator sends them.

use weighhouse_proto::frame;
use weighhouse_proto::v1::{AcknowledgeRequest, AcknowledgeResponse};
use weighhouse_types::{AnswerReceipt, Digest, Epoch, MechId, Netuid, ReceiptedRound};
use weighhouse_wallet::receipt::{acknowledgements, sign};

use super::*;
use crate::receipts::{file_name, read};

/// A validator's word that it received this answer to this request.
fn receipts(miner: &Harness, request: &[u8], answer: &[u8]) -> AcknowledgeRequest {
    let validator = key("//Alice");
    let round = ReceiptedRound {
        genesis: Digest::default(),
        netuid: Netuid(1),
        mechanism: MechId(0),
        validator: validator.hotkey(),
        epoch: Epoch(7),
        round: 3,
        unix_us: 1,
    };
    let receipt = AnswerReceipt {
        hotkey: miner.hotkey(),
        stage: 0,
        request: Digest::of(request),
        answer: Digest::of(answer),
        latency_us: 9,
    };
    let signature = sign(&round, &validator, std::slice::from_ref(&receipt));
    let told = acknowledgements(&round, &[receipt], &signature);
    AcknowledgeRequest { acknowledgements: told.into_iter().map(Into::into).collect() }
}

#[tokio::test]
async fn a_receipt_is_kept_of_an_answer_that_was_given_to_whoever_sends_it() {
    let miner = Setup::default().start().await;
    let asked = miner.sign(&request(1));
    let answered = miner.send(&asked).await;
    assert_eq!(answered.code(), Code::Ok);
    let told = receipts(&miner, &asked.body, &answered.body);
    let kept = async |told: &AcknowledgeRequest| {
        let reply = miner.send(&miner.sign_receipts(frame::encode(told))).await;
        assert_eq!(reply.code(), Code::Ok);
        frame::decode::<AcknowledgeResponse>(&reply.body).expect("an answer").kept
    };
    assert_eq!(kept(&receipts(&miner, b"never asked", &answered.body)).await, 0);
    assert_eq!(kept(&told).await, 1);
    assert_eq!(kept(&told).await, 0, "once");
    let file = miner.state_dir().join(file_name(&key("//Alice").hotkey(), Epoch(7)));
    let stored = read(&std::fs::read(file).expect("a file"));
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].receipt.answer, Digest::of(&answered.body));

    let unsigned = MinerClient::new(miner.channel().await).acknowledge(told).await;
    assert_eq!(unsigned.expect_err("unsigned").code(), Code::Unauthenticated);
    miner.stop().await.expect("a clean end");
}

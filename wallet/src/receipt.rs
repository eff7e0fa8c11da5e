//! A validator's receipts: its signature over all answers of a round, and the proof of one answer under it.
//!
//! Signed is a domain-separated digest of (chain, subnet, mechanism, validator, epoch, round, time, number of answers, root of
//! the RFC 6962 tree over them). With an [`Acknowledgement`] a miner shows anybody that an answer was received, whatever the
//! validator's record says later.

use parity_scale_codec::Encode;
use weighhouse_merkle as merkle;
use weighhouse_types::{Acknowledgement, AnswerReceipt, Digest, Hasher, ReceiptedRound};

use crate::keypair::{Keypair, SignatureError, verify};

const DOMAIN: &str = "weighhouse/round-receipts/v1";

/// Why an acknowledgement acknowledges nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("its proof: {0}")]
    Proof(#[from] merkle::ProofError),
    #[error("its signature: {0}")]
    Signature(#[from] SignatureError),
}

fn digest(round: &ReceiptedRound, root: &Digest, size: u64) -> Digest {
    Hasher::new(DOMAIN).part(&round.encode()).part(&size.to_le_bytes()).part(root.as_bytes()).finish()
}

/// Signs for a round's answers, in the order of [`AnswerReceipt::of_round`].
pub fn sign(round: &ReceiptedRound, keypair: &Keypair, receipts: &[AnswerReceipt]) -> Vec<u8> {
    keypair.sign(digest(round, &merkle::root(&leaves(receipts)), receipts.len() as u64).as_bytes()).to_vec()
}

/// Checks that the validator has signed for these answers and no others.
///
/// # Errors
/// A signature of something else, or somebody else's.
pub fn verify_round(
    round: &ReceiptedRound,
    receipts: &[AnswerReceipt],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let signed = digest(round, &merkle::root(&leaves(receipts)), receipts.len() as u64);
    verify(round.validator.as_bytes(), signed.as_bytes(), signature)
}

/// Each answer with its proof.
pub fn acknowledgements(
    round: &ReceiptedRound,
    receipts: &[AnswerReceipt],
    signature: &[u8],
) -> Vec<Acknowledgement> {
    let paths = merkle::inclusion_proofs(&leaves(receipts));
    let each = receipts.iter().zip(paths).enumerate().map(|(index, (receipt, path))| Acknowledgement {
        round: *round,
        receipt: receipt.clone(),
        index: index as u64,
        size: receipts.len() as u64,
        path,
        signature: signature.to_vec(),
    });
    each.collect()
}

/// Checks that the validator has signed for this answer.
///
/// # Errors
/// A proof or a signature that doesn't hold.
pub fn verify_acknowledgement(acknowledged: &Acknowledgement) -> Result<(), ReceiptError> {
    let Acknowledgement { round, receipt, index, size, path, signature } = acknowledged;
    let root = merkle::root_from_inclusion(&leaf(receipt), *index, *size, path)?;
    verify(round.validator.as_bytes(), digest(round, &root, *size).as_bytes(), signature)?;
    Ok(())
}

fn leaf(receipt: &AnswerReceipt) -> Digest {
    merkle::leaf_hash(&receipt.encode())
}

fn leaves(receipts: &[AnswerReceipt]) -> Vec<Digest> {
    receipts.iter().map(leaf).collect()
}

#[cfg(test)]
mod tests {
    use weighhouse_types::{Epoch, Hotkey, MechId, Netuid};

    use super::*;

    fn receipts(count: u8) -> Vec<AnswerReceipt> {
        let one = |n: u8| AnswerReceipt {
            hotkey: Hotkey([n; 32]),
            stage: 0,
            request: Digest([n; 32]),
            answer: Digest::of(&[n]),
            latency_us: u64::from(n),
        };
        (0..count).map(one).collect()
    }

    fn round(keypair: &Keypair) -> ReceiptedRound {
        ReceiptedRound {
            genesis: Digest::of(b"genesis"),
            netuid: Netuid(1),
            mechanism: MechId(0),
            validator: keypair.hotkey(),
            epoch: Epoch(4),
            round: 2,
            unix_us: 7,
        }
    }

    #[test]
    fn each_answer_of_a_round_is_proven_by_one_signature() {
        let keypair = Keypair::from_uri("//Validator").expect("a key");
        let round = round(&keypair);
        for count in [1, 2, 5] {
            let receipts = receipts(count);
            let signature = sign(&round, &keypair, &receipts);
            verify_round(&round, &receipts, &signature).expect("all of them");
            for acknowledged in acknowledgements(&round, &receipts, &signature) {
                verify_acknowledgement(&acknowledged).expect("one of them");
            }
            assert!(verify_round(&round, &receipts[1..], &signature).is_err(), "one is left out of {count}");
        }
    }

    #[test]
    fn whatever_is_changed_in_an_acknowledgement_it_acknowledges_nothing() {
        let keypair = Keypair::from_uri("//Validator").expect("a key");
        let (round, receipts) = (round(&keypair), receipts(3));
        let signature = sign(&round, &keypair, &receipts);
        let sound = acknowledgements(&round, &receipts, &signature).swap_remove(1);
        let changes: [fn(&mut Acknowledgement); 8] = [
            |it| it.receipt.answer = Digest::of(b"another"),
            |it| it.receipt.latency_us += 1,
            |it| it.receipt.hotkey = Hotkey([9; 32]),
            |it| it.round.epoch = Epoch(5),
            |it| it.round.round = 0,
            |it| it.size = 4,
            |it| it.index = 0,
            |it| it.path.truncate(1),
        ];
        for (nth, change) in changes.into_iter().enumerate() {
            let mut changed = sound.clone();
            change(&mut changed);
            assert!(verify_acknowledgement(&changed).is_err(), "change {nth}");
        }
        let mut other = sound;
        other.round.validator = Keypair::from_uri("//Other").expect("a key").hotkey();
        assert!(matches!(verify_acknowledgement(&other), Err(ReceiptError::Signature(_))));
    }
}

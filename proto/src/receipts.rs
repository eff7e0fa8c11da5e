//! `Miner.Acknowledge`'s messages to and from [`Acknowledgement`].

use weighhouse_types::{
    Acknowledgement, AnswerReceipt, Digest, Epoch, Hotkey, MechId, Netuid, PATH_MAX, ReceiptedRound,
};

use crate::chain::{ChainMessageError, bytes32, narrow};
use crate::v1;

/// Acknowledgements of one message: a miner that was away is told of its newest answers.
pub const ACKNOWLEDGEMENTS_MAX: usize = 16;

/// An acknowledgement that no validator makes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcknowledgementError {
    #[error(transparent)]
    Field(#[from] ChainMessageError),
    #[error("the proof has more than {PATH_MAX} nodes")]
    Path,
    #[error("the signature has not 64 bytes")]
    Signature,
}

impl From<Acknowledgement> for v1::Acknowledgement {
    fn from(acknowledged: Acknowledgement) -> Self {
        let Acknowledgement { round, receipt, index, size, path, signature } = acknowledged;
        Self {
            genesis: round.genesis.0.to_vec(),
            netuid: round.netuid.0.into(),
            mechanism: round.mechanism.0.into(),
            validator: round.validator.0.to_vec(),
            epoch: round.epoch.0,
            round: round.round,
            unix_us: round.unix_us,
            hotkey: receipt.hotkey.0.to_vec(),
            stage: receipt.stage.into(),
            request: receipt.request.0.to_vec(),
            answer: receipt.answer.0.to_vec(),
            latency_us: receipt.latency_us,
            index,
            size,
            path: path.into_iter().map(|node| node.0.to_vec()).collect(),
            signature,
        }
    }
}

impl TryFrom<v1::Acknowledgement> for Acknowledgement {
    type Error = AcknowledgementError;

    fn try_from(message: v1::Acknowledgement) -> Result<Self, AcknowledgementError> {
        if message.path.len() > PATH_MAX {
            return Err(AcknowledgementError::Path);
        }
        if message.signature.len() != 64 {
            return Err(AcknowledgementError::Signature);
        }
        let path = message.path.iter().map(|node| Ok(Digest(bytes32("path", node)?)));
        Ok(Self {
            round: ReceiptedRound {
                genesis: Digest(bytes32("genesis", &message.genesis)?),
                netuid: Netuid(narrow("netuid", message.netuid)?),
                mechanism: MechId(narrow("mechanism", message.mechanism)?),
                validator: Hotkey(bytes32("validator", &message.validator)?),
                epoch: Epoch(message.epoch),
                round: message.round,
                unix_us: message.unix_us,
            },
            receipt: AnswerReceipt {
                hotkey: Hotkey(bytes32("hotkey", &message.hotkey)?),
                stage: narrow("stage", message.stage)?,
                request: Digest(bytes32("request", &message.request)?),
                answer: Digest(bytes32("answer", &message.answer)?),
                latency_us: message.latency_us,
            },
            index: message.index,
            size: message.size,
            path: path.collect::<Result<_, ChainMessageError>>()?,
            signature: message.signature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> v1::Acknowledgement {
        v1::Acknowledgement {
            genesis: vec![1; 32],
            netuid: 3,
            mechanism: 0,
            validator: vec![2; 32],
            epoch: 9,
            round: 4,
            unix_us: 5,
            hotkey: vec![3; 32],
            stage: 1,
            request: vec![4; 32],
            answer: vec![5; 32],
            latency_us: 6,
            index: 7,
            size: 8,
            path: vec![vec![6; 32]; 3],
            signature: vec![7; 64],
        }
    }

    #[test]
    fn an_acknowledgement_comes_back_as_it_was_sent() {
        let read = Acknowledgement::try_from(message()).expect("a sound message");
        assert_eq!(v1::Acknowledgement::from(read), message());
    }

    #[test]
    fn what_no_validator_sends_is_refused() {
        let changes: [fn(&mut v1::Acknowledgement); 7] = [
            |it| it.genesis.truncate(31),
            |it| it.netuid = 1 << 16,
            |it| it.mechanism = 256,
            |it| it.stage = 256,
            |it| it.path = vec![vec![0; 32]; PATH_MAX + 1],
            |it| it.path[0].push(0),
            |it| it.signature.clear(),
        ];
        for (nth, change) in changes.into_iter().enumerate() {
            let mut changed = message();
            change(&mut changed);
            assert!(Acknowledgement::try_from(changed).is_err(), "change {nth}");
        }
    }
}

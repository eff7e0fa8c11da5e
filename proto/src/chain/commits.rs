//! Commits, mechanisms, the timelock, and who speaks for whose stake.

use weighhouse_types::{
    Block, Child, Coldkey, CommitContent, Commitment, Delegation, Digest, Epoch, Hotkey, MechanismRows,
    Mechanisms, Rounds, Timelock, WeightCommit,
};

use super::{ChainMessageError, bytes32, narrow, wrong};
use crate::v1;

fn narrow_all(field: &'static str, values: Vec<u32>) -> Result<Vec<u16>, ChainMessageError> {
    values.into_iter().map(|value| narrow(field, value)).collect()
}

impl From<Mechanisms> for v1::MechanismsResponse {
    fn from(mechanisms: Mechanisms) -> Self {
        let split = mechanisms.emission_split.into_iter().flatten();
        Self { count: mechanisms.count.into(), emission_split: split.map(u32::from).collect() }
    }
}

impl TryFrom<v1::MechanismsResponse> for Mechanisms {
    type Error = ChainMessageError;

    fn try_from(message: v1::MechanismsResponse) -> Result<Self, ChainMessageError> {
        let split = narrow_all("emission_split", message.emission_split)?;
        // proto3 has one form for an empty list and for none; a split into no shares doesn't exist.
        let emission_split = Some(split).filter(|split| !split.is_empty());
        Ok(Self { count: narrow("count", message.count)?, emission_split })
    }
}

impl From<MechanismRows> for v1::MechanismResponse {
    fn from(rows: MechanismRows) -> Self {
        Self {
            last_update: rows.last_update.into_iter().map(|block| block.0).collect(),
            incentive: rows.incentive.into_iter().map(u32::from).collect(),
        }
    }
}

impl TryFrom<v1::MechanismResponse> for MechanismRows {
    type Error = ChainMessageError;

    fn try_from(message: v1::MechanismResponse) -> Result<Self, ChainMessageError> {
        if message.last_update.len() != message.incentive.len() {
            return Err(wrong("incentive", "has another length than last_update"));
        }
        Ok(Self {
            last_update: message.last_update.into_iter().map(Block).collect(),
            incentive: narrow_all("incentive", message.incentive)?,
        })
    }
}

impl From<WeightCommit> for v1::WeightCommit {
    fn from(commit: WeightCommit) -> Self {
        use v1::weight_commit::Content;
        let content = match commit.content {
            CommitContent::Hash { hash } => Content::Hash(hash.0.to_vec()),
            CommitContent::Timelocked { ciphertext, reveal_round } => {
                Content::Timelocked(v1::TimelockedWeights { ciphertext, reveal_round })
            }
        };
        Self { epoch: commit.epoch.0, block: commit.block.0, content: Some(content) }
    }
}

impl TryFrom<v1::WeightCommit> for WeightCommit {
    type Error = ChainMessageError;

    fn try_from(message: v1::WeightCommit) -> Result<Self, ChainMessageError> {
        use v1::weight_commit::Content;
        let content = match message.content.ok_or(wrong("content", "is missing"))? {
            Content::Hash(hash) => CommitContent::Hash { hash: Digest(bytes32("hash", &hash)?) },
            Content::Timelocked(v1::TimelockedWeights { ciphertext, reveal_round }) => {
                CommitContent::Timelocked { ciphertext, reveal_round }
            }
        };
        Ok(Self { epoch: Epoch(message.epoch), block: Block(message.block), content })
    }
}

impl From<Timelock> for v1::TimelockResponse {
    fn from(timelock: Timelock) -> Self {
        let clock = match timelock.rounds {
            Rounds::Blocks => None,
            Rounds::Clock { genesis, period, block_millis } => {
                Some(v1::RoundClock { genesis, period, block_millis })
            }
        };
        Self {
            version: timelock.version.into(),
            public_key: timelock.public_key.to_vec(),
            last_round: timelock.last_round,
            clock,
        }
    }
}

impl TryFrom<v1::TimelockResponse> for Timelock {
    type Error = ChainMessageError;

    fn try_from(message: v1::TimelockResponse) -> Result<Self, ChainMessageError> {
        let key = message.public_key.try_into();
        let rounds = match message.clock {
            None => Rounds::Blocks,
            Some(v1::RoundClock { period: 0, .. }) => return Err(wrong("period", "is 0")),
            Some(v1::RoundClock { genesis, period, block_millis }) => {
                Rounds::Clock { genesis, period, block_millis }
            }
        };
        Ok(Self {
            version: narrow("version", message.version)?,
            public_key: key.map_err(|_| wrong("public_key", "doesn't have 96 bytes"))?,
            rounds,
            last_round: message.last_round,
        })
    }
}

impl From<Commitment> for v1::PublishedCommitment {
    fn from(commitment: Commitment) -> Self {
        Self { block: commitment.block.0, data: commitment.data }
    }
}

impl From<v1::PublishedCommitment> for Commitment {
    fn from(message: v1::PublishedCommitment) -> Self {
        Self { block: Block(message.block), data: message.data }
    }
}

impl From<Child> for v1::ChildKey {
    fn from(child: Child) -> Self {
        Self { proportion: child.proportion, hotkey: child.hotkey.0.to_vec() }
    }
}

impl TryFrom<v1::ChildKey> for Child {
    type Error = ChainMessageError;

    fn try_from(message: v1::ChildKey) -> Result<Self, ChainMessageError> {
        Ok(Self { proportion: message.proportion, hotkey: Hotkey(bytes32("hotkey", &message.hotkey)?) })
    }
}

impl From<Delegation> for v1::HotkeyDelegation {
    fn from(delegation: Delegation) -> Self {
        let keys = |children: Vec<Child>| children.into_iter().map(v1::ChildKey::from).collect();
        let pending =
            |(at, children): (Block, Vec<Child>)| v1::PendingChildren { at: at.0, children: keys(children) };
        Self {
            coldkey: delegation.coldkey.0.to_vec(),
            take: delegation.take.into(),
            childkey_take: delegation.childkey_take.into(),
            children: keys(delegation.children),
            parents: keys(delegation.parents),
            pending: delegation.pending.map(pending),
        }
    }
}

impl TryFrom<v1::HotkeyDelegation> for Delegation {
    type Error = ChainMessageError;

    fn try_from(message: v1::HotkeyDelegation) -> Result<Self, ChainMessageError> {
        let keys = |children: Vec<v1::ChildKey>| -> Result<Vec<Child>, ChainMessageError> {
            children.into_iter().map(Child::try_from).collect()
        };
        let pending = message.pending.map(|pending| Ok((Block(pending.at), keys(pending.children)?)));
        Ok(Self {
            coldkey: Coldkey(bytes32("coldkey", &message.coldkey)?),
            take: narrow("take", message.take)?,
            childkey_take: narrow("childkey_take", message.childkey_take)?,
            children: keys(message.children)?,
            parents: keys(message.parents)?,
            pending: pending.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T, M>(value: T)
    where
        T: Clone + PartialEq + std::fmt::Debug + TryFrom<M, Error = ChainMessageError>,
        M: From<T>,
    {
        assert_eq!(T::try_from(M::from(value.clone())), Ok(value));
    }

    #[test]
    fn everything_arrives_as_it_was_sent() {
        let child = |byte| Child { proportion: u64::MAX - 1, hotkey: Hotkey([byte; 32]) };
        round_trip::<Mechanisms, v1::MechanismsResponse>(Mechanisms::default());
        let split = Mechanisms { count: 2, emission_split: Some(vec![65_534, 1]) };
        round_trip::<_, v1::MechanismsResponse>(split);
        let rows = MechanismRows { last_update: vec![Block(1), Block(2)], incentive: vec![3, 4] };
        round_trip::<_, v1::MechanismResponse>(rows);
        let commit = |content| WeightCommit { epoch: Epoch(5), block: Block(6), content };
        round_trip::<_, v1::WeightCommit>(commit(CommitContent::Hash { hash: Digest([7; 32]) }));
        let sealed = CommitContent::Timelocked { ciphertext: vec![1, 2], reveal_round: 9 };
        round_trip::<_, v1::WeightCommit>(commit(sealed));
        let clock = Rounds::Clock { genesis: 1, period: 3, block_millis: 12_000 };
        for rounds in [Rounds::Blocks, clock] {
            let timelock = Timelock { version: 4, public_key: [8; 96], rounds, last_round: 10 };
            round_trip::<_, v1::TimelockResponse>(timelock);
        }
        for pending in [None, Some((Block(11), vec![child(3)]))] {
            round_trip::<_, v1::HotkeyDelegation>(Delegation {
                coldkey: Coldkey([1; 32]),
                take: 11_796,
                childkey_take: 0,
                children: vec![child(1)],
                parents: vec![child(2), child(4)],
                pending,
            });
        }
    }

    #[test]
    fn what_no_honest_chain_sends_is_refused() {
        let rows = v1::MechanismResponse { last_update: vec![1], incentive: Vec::new() };
        assert_eq!(MechanismRows::try_from(rows).expect_err("refused").field, "incentive");
        let commit = v1::WeightCommit { epoch: 0, block: 0, content: None };
        assert_eq!(WeightCommit::try_from(commit).expect_err("refused").field, "content");
        let timelock = v1::TimelockResponse { public_key: vec![0; 95], ..Default::default() };
        assert_eq!(Timelock::try_from(timelock).expect_err("refused").field, "public_key");
        let split = v1::MechanismsResponse { count: 300, emission_split: Vec::new() };
        assert_eq!(Mechanisms::try_from(split).expect_err("refused").field, "count");
    }
}

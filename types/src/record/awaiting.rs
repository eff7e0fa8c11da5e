//! Answers whose truth comes in a later epoch than the one that asked, by what became of them in an epoch.

use std::collections::BTreeMap;

use super::{ChallengePhase, PhaseChange, Record, StageRecord};
use crate::{Digest, Epoch, RegistrationId, Uid};

/// An answer that is kept until its truth is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaterAnswer {
    pub asked_in: Epoch,
    pub uid: Uid,
    pub who: RegistrationId,
}

/// The answers of one epoch's records, and of those it took over, whose truth comes later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaterAnswers {
    /// Answers whose truth is not known at the records' end.
    pub awaiting: Vec<LaterAnswer>,
    /// Number of answers of earlier epochs whose truth came.
    pub resolved: usize,
    /// Number of challenges that lapsed without a truth.
    pub lapsed: usize,
}

impl LaterAnswers {
    /// Follows the answers through an epoch's records, in the order of these.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let (mut open, mut closed): (Kept, Kept) = Default::default();
        let (mut resolved, mut lapsed) = (0, 0);
        for record in records {
            match record {
                Record::CarriedChallenge(carried) => {
                    let kept = closed.entry(carried.asked.challenge).or_default();
                    carried.answers.iter().for_each(|answered| keep(kept, carried.asked.epoch, answered));
                }
                Record::Answered(answered) => {
                    keep(open.entry(answered.challenge).or_default(), answered.epoch, answered);
                }
                // Whoever was refused at a later stage of its challenge waits for nothing.
                Record::Judged(judged) => {
                    if let Some(kept) = open.get_mut(&judged.challenge) {
                        kept.retain(|answer| answer.who != judged.who);
                    }
                }
                Record::PhaseChange(PhaseChange { challenge, phase, .. }) => match phase {
                    ChallengePhase::Closed => closed.extend(open.remove_entry(challenge)),
                    ChallengePhase::Resolved { .. } => {
                        resolved += closed.remove(challenge).unwrap_or_default().len();
                    }
                    ChallengePhase::Lapsed { .. } => {
                        closed.remove(challenge);
                        lapsed += 1;
                    }
                },
                _ => {}
            }
        }
        Self { awaiting: closed.into_values().flatten().collect(), resolved, lapsed }
    }

    /// A number of answers that await their truth, in words.
    pub fn in_words(awaiting: usize) -> String {
        match awaiting {
            1 => "1 answer awaits its truth".to_owned(),
            _ => format!("{awaiting} answers await their truth"),
        }
    }

    /// Number of a registration's answers that await their truth.
    pub fn awaiting_of(&self, who: &RegistrationId) -> usize {
        self.awaiting.iter().filter(|answer| answer.who == *who).count()
    }
}

/// Answers by challenge, one for each miner.
type Kept = BTreeMap<Digest, Vec<LaterAnswer>>;

fn keep(kept: &mut Vec<LaterAnswer>, asked_in: Epoch, answered: &StageRecord) {
    let StageRecord { uid, who, outcome, .. } = answered;
    if outcome.is_ok() && kept.iter().all(|answer| answer.who != *who) {
        kept.push(LaterAnswer { asked_in, uid: *uid, who: *who });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChallengePhase, Exchange, Failure, Fields, Mark, Reason, sample};

    fn answered(challenge: &[u8], uid: u16, outcome: Result<Exchange, Failure>) -> Record {
        let (challenge, epoch) = (Digest::of(challenge), Epoch(7));
        let (uid, who) = (Uid(uid), sample::registration(uid));
        let fields = Fields::default();
        Record::Answered(StageRecord { challenge, epoch, round: 0, stage: 0, uid, who, outcome, fields })
    }

    fn phase(challenge: &[u8], phase: ChallengePhase) -> Record {
        let (challenge, epoch) = (Digest::of(challenge), Epoch(7));
        Record::PhaseChange(PhaseChange {
            epoch,
            challenge,
            asked_in: epoch,
            phase,
            fields: Fields::default(),
        })
    }

    fn exchange() -> Exchange {
        let digest = Digest::of(b"bytes");
        Exchange { request: digest, answer: digest, model: digest, signature: Vec::new(), latency_us: 1 }
    }

    #[test]
    fn an_answer_waits_from_its_challenge_s_closing_until_its_truth() {
        let mut records = vec![
            answered(b"a", 1, Ok(exchange())),
            answered(b"a", 1, Ok(exchange())),
            answered(b"a", 2, Err(Failure::Unreachable)),
            answered(b"b", 2, Ok(exchange())),
        ];
        assert_eq!(LaterAnswers::of(&records), LaterAnswers::default(), "a round may still judge them");
        records.extend([b"a", b"b"].map(|challenge| phase(challenge, ChallengePhase::Closed)));
        let kept = LaterAnswers::of(&records);
        assert_eq!((kept.awaiting.len(), kept.awaiting_of(&sample::registration(1))), (2, 1));
        records.push(phase(b"a", ChallengePhase::Resolved { truth: Digest::of(b"truth") }));
        records.push(phase(b"b", ChallengePhase::Lapsed { why: "too late".to_owned() }));
        assert_eq!(LaterAnswers::of(&records), LaterAnswers { awaiting: vec![], resolved: 1, lapsed: 1 });
    }

    #[test]
    fn an_answer_that_was_refused_at_once_waits_for_nothing() {
        let reason = Reason::told(crate::Outcome::Malformed, "");
        let mut judged = sample::judged(Epoch(7), 0, 1, Mark::ZERO, reason);
        judged.challenge = Digest::of(b"a");
        let records =
            [answered(b"a", 1, Ok(exchange())), Record::Judged(judged), phase(b"a", ChallengePhase::Closed)];
        assert_eq!(LaterAnswers::of(&records), LaterAnswers::default());
    }
}

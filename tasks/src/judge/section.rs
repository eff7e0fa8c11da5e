//! The section `[judge]` of a task file.

use std::time::Duration;

use serde::Deserialize;
use weighhouse_types::profile::Scope;
use weighhouse_types::{Digest, JudgeTerms};

use crate::error::TaskFileError;
use crate::file::{TaskFile, count, refused};

/// Bytes that one answer may have, of all its tensors together, where a message has room for them.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Answers or challenges in one call.
const BATCH_MAX: u32 = 256;
const BATCH_LIMIT: u32 = 1 << 16;
const MESSAGE_BYTES_MAX: usize = 32 << 20;
const MESSAGE_BYTES_LIMIT: usize = 1 << 30;
/// As many as the contract allows, and epochs within which a truth may come.
const EXCHANGES_LIMIT: u8 = 8;
const RESOLVES_LIMIT: u64 = 1_000;
const DEADLINE: Duration = Duration::from_secs(20);
const DEADLINE_LIMIT: Duration = Duration::from_secs(3600);
/// Digests may be written as commands print them.
const DIGEST_PREFIX: &str = "sha256:";

/// The sections that only this kind reads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    judge: RawJudge,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJudge {
    digest: String,
    #[serde(default)]
    testifies: bool,
    #[serde(default)]
    together: bool,
    #[serde(default = "one")]
    exchanges: u8,
    /// Epochs after which a truth that is still unknown is given up; absent where it is known at once.
    resolves_within: Option<u64>,
    #[serde(default = "deadline", with = "humantime_serde")]
    deadline: Duration,
    #[serde(default = "batch_max")]
    batch_max: u32,
    #[serde(default = "message_bytes_max")]
    message_bytes_max: usize,
    answer_bytes_max: Option<usize>,
}

fn one() -> u8 {
    1
}

fn deadline() -> Duration {
    DEADLINE
}

fn batch_max() -> u32 {
    BATCH_MAX
}

fn message_bytes_max() -> usize {
    MESSAGE_BYTES_MAX
}

/// The judge that the file pins, and what an answer may weigh before it is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PinnedJudge {
    pub(super) terms: JudgeTerms,
    pub(super) answer_bytes_max: usize,
    pub(super) exchanges: u8,
    pub(super) resolves_within: Option<u64>,
}

impl Section {
    pub(super) fn check(self, file: &TaskFile) -> Result<PinnedJudge, TaskFileError> {
        let raw = self.judge;
        let Ok(digest) = raw.digest.trim_start_matches(DIGEST_PREFIX).parse::<Digest>() else {
            return refuse("judge.digest", "is no SHA-256 in hexadecimal".to_owned());
        };
        raw.check_dialogue(file.scope)?;
        let (batch_max, answer_bytes_max) = raw.check_size()?;
        let terms = JudgeTerms {
            task: file.digest,
            digest,
            version: file.judge,
            testifies: raw.testifies,
            together: raw.together,
            resolves: raw.resolves_within.is_some(),
            exchanges: u32::from(raw.exchanges),
            deadline: raw.deadline,
            batch_max,
            message_bytes_max: raw.message_bytes_max,
        };
        Ok(PinnedJudge {
            terms,
            answer_bytes_max,
            exchanges: raw.exchanges,
            resolves_within: raw.resolves_within,
        })
    }
}

impl RawJudge {
    /// Checks what the judge is asked, and when.
    fn check_dialogue(&self, scope: Scope) -> Result<(), TaskFileError> {
        if self.deadline.is_zero() || self.deadline > DEADLINE_LIMIT {
            return refuse("judge.deadline", "must be longer than zero and at most an hour".to_owned());
        }
        if !(1..=EXCHANGES_LIMIT).contains(&self.exchanges) {
            return refuse("judge.exchanges", format!("must be 1 to {EXCHANGES_LIMIT}"));
        }
        if self.resolves_within.is_some_and(|epochs| !(1..=RESOLVES_LIMIT).contains(&epochs)) {
            return refuse("judge.resolves_within", format!("must be 1 to {RESOLVES_LIMIT} epochs"));
        }
        if self.resolves_within.is_some() && self.testifies {
            let why = "can't stand beside resolves_within: the truth takes the testimony's place";
            return refuse("judge.testifies", why.to_owned());
        }
        if self.together && scope == Scope::Private {
            let why = "needs scope = \"shared\": a private challenge has one answer";
            return refuse("judge.together", why.to_owned());
        }
        Ok(())
    }

    /// The size of a call, in answers, and that of an answer, in bytes: the call is within a message.
    fn check_size(&self) -> Result<(u32, usize), TaskFileError> {
        let batch_max = count("judge.batch_max", self.batch_max, BATCH_LIMIT)?;
        if !(1..=MESSAGE_BYTES_LIMIT).contains(&self.message_bytes_max) {
            return refuse("judge.message_bytes_max", format!("must be 1 to {MESSAGE_BYTES_LIMIT}"));
        }
        // Answers that are judged together can't be cut into calls: else miners could make a call fail.
        let together = if self.together { batch_max } else { 1 };
        let share =
            "half of message_bytes_max over exchanges, and over batch_max where answers are judged together";
        // The other half is for what a message holds around the answers.
        let room = self.message_bytes_max / 2 / together as usize / usize::from(self.exchanges);
        let answer_bytes_max = self.answer_bytes_max.unwrap_or(ANSWER_BYTES_MAX.min(room));
        if !(1..=room).contains(&answer_bytes_max) {
            return refuse("judge.answer_bytes_max", format!("must be 1 to {room}, {share}"));
        }
        Ok((batch_max, answer_bytes_max))
    }
}

fn refuse<T>(key: &'static str, what: String) -> Result<T, TaskFileError> {
    Err(refused(key, what))
}

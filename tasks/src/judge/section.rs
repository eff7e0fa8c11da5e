//! The section `[judge]` of a task file.

use std::time::Duration;

use serde::Deserialize;
use weighhouse_types::{Digest, JudgeTerms};

use crate::error::TaskFileError;
use crate::file::{TaskFile, count};

/// Bytes that one answer may have, of all its tensors together.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Answers or challenges in one call.
const BATCH_MAX: u32 = 256;
const BATCH_LIMIT: u32 = 1 << 16;
const MESSAGE_BYTES_MAX: usize = 32 << 20;
const MESSAGE_BYTES_LIMIT: usize = 1 << 30;
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
    #[serde(default = "deadline", with = "humantime_serde")]
    deadline: Duration,
    #[serde(default = "batch_max")]
    batch_max: u32,
    #[serde(default = "message_bytes_max")]
    message_bytes_max: usize,
    #[serde(default = "answer_bytes_max")]
    answer_bytes_max: usize,
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

fn answer_bytes_max() -> usize {
    ANSWER_BYTES_MAX
}

/// The judge that the file pins, and what an answer may weigh before it is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PinnedJudge {
    pub(super) terms: JudgeTerms,
    pub(super) answer_bytes_max: usize,
}

impl Section {
    pub(super) fn check(self, file: &TaskFile) -> Result<PinnedJudge, TaskFileError> {
        let raw = self.judge;
        let refuse = |key, what: String| Err(TaskFileError::Value { key, what });
        let digest: Digest = match raw.digest.trim_start_matches(DIGEST_PREFIX).parse() {
            Ok(digest) => digest,
            Err(_) => return refuse("judge.digest", "is no SHA-256 in hexadecimal".to_owned()),
        };
        if raw.deadline.is_zero() || raw.deadline > DEADLINE_LIMIT {
            return refuse("judge.deadline", "must be longer than zero and at most an hour".to_owned());
        }
        let batch_max = count("judge.batch_max", raw.batch_max, BATCH_LIMIT)?;
        if !(1..=MESSAGE_BYTES_LIMIT).contains(&raw.message_bytes_max) {
            return refuse("judge.message_bytes_max", format!("must be 1 to {MESSAGE_BYTES_LIMIT}"));
        }
        // Answers in one call must fit a message with the questions beside them: else miners could make a call fail.
        let answers = if raw.together { batch_max as usize } else { 1 };
        let room = raw.message_bytes_max / 2 / answers;
        if !(1..=room).contains(&raw.answer_bytes_max) {
            let whose = if raw.together {
                "half of message_bytes_max over batch_max"
            } else {
                "half of message_bytes_max"
            };
            return refuse("judge.answer_bytes_max", format!("must be 1 to {room}, {whose}"));
        }
        let terms = JudgeTerms {
            task: file.digest,
            digest,
            version: file.judge_version,
            testifies: raw.testifies,
            together: raw.together,
            resolves: false,
            exchanges: 1,
            deadline: raw.deadline,
            batch_max,
            message_bytes_max: raw.message_bytes_max,
        };
        Ok(PinnedJudge { terms, answer_bytes_max: raw.answer_bytes_max })
    }
}

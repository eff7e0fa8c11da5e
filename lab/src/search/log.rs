//! The log of a search: JSON lines, a head and then one line per generation, from which an interrupted search goes on.
//!
//! A line is whole or it is nothing: a last line without its line feed, as a crash leaves it, is left out and
//! [`Log::whole_bytes`] says where to cut the file. Anything else that is not what it should be is refused.

use serde::{Deserialize, Serialize};
use weighhouse_types::Digest;

use super::archive::Point;

/// The version of the format.
pub const LOG_VERSION: u32 = 1;

/// Name of the format in the first line.
const NAME: &str = "weighhouse search";

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    log: String,
    version: u32,
    /// Digest of the problem and the settings.
    problem: Digest,
}

/// One generation, its points in order of their coordinates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Generation {
    pub(super) generation: u64,
    pub(super) points: Vec<Point>,
}

/// A log read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    head: Head,
    pub(super) generations: Vec<Generation>,
    whole_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("the file is no log of a search: its first line is not `{{\"log\":\"{NAME}\",...}}`")]
    NoLog,
    #[error("log version {found}, this software reads version {LOG_VERSION}")]
    Version { found: u32 },
    #[error("the log belongs to the search {found}, this is {wanted}: same files and seed, or a new log")]
    Foreign { found: Digest, wanted: Digest },
    #[error("line {line} of the log: {message}")]
    Line { line: usize, message: String },
    #[error(
        "generation {generation} of the log has other points than this search asks for: it was written by another \
         version or on another kind of machine; start a new log"
    )]
    Diverged { generation: u64 },
}

impl Head {
    pub(super) fn new(problem: Digest) -> Self {
        Self { log: NAME.to_owned(), version: LOG_VERSION, problem }
    }
}

impl Log {
    /// Reads a log's bytes. An empty file is no log.
    ///
    /// # Errors
    /// [`LogError`], with the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, LogError> {
        let whole_bytes = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let mut lines = bytes[..whole_bytes].split(|byte| *byte == b'\n');
        let head: Head = lines
            .next()
            .and_then(|line| serde_json::from_slice(line).ok())
            .filter(|head: &Head| head.log == NAME)
            .ok_or(LogError::NoLog)?;
        if head.version != LOG_VERSION {
            return Err(LogError::Version { found: head.version });
        }
        let mut generations = Vec::new();
        for (at, line) in lines.enumerate() {
            // The last piece stands behind the final line feed.
            if line.is_empty() {
                continue;
            }
            // Line 1 is the head.
            let bad = |message| LogError::Line { line: at + 2, message };
            let generation: Generation =
                serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
            if generation.generation != generations.len() as u64 {
                return Err(bad(format!("generation {} out of order", generation.generation)));
            }
            generations.push(generation);
        }
        Ok(Self { head, generations, whole_bytes })
    }

    /// Bytes up to the last whole line: where to go on writing.
    pub fn whole_bytes(&self) -> usize {
        self.whole_bytes
    }

    /// Points in it.
    pub fn evaluations(&self) -> u64 {
        self.generations.iter().map(|generation| generation.points.len() as u64).sum()
    }

    pub(super) fn check_problem(&self, wanted: Digest) -> Result<(), LogError> {
        let found = self.head.problem;
        if found == wanted { Ok(()) } else { Err(LogError::Foreign { found, wanted }) }
    }
}

/// One line with its line feed.
pub(super) fn line<T: Serialize>(value: &T) -> String {
    let mut line = serde_json::to_string(value).expect("structs of numbers and strings have a JSON form");
    line.push('\n');
    line
}

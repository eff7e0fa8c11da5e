//! A question to a miner, drawn by a seed.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use weighhouse_types::Digest;

/// One challenge. Made by [`Task::challenge`](crate::Task::challenge) and nothing else; only its kind looks inside.
#[derive(Clone)]
pub struct Challenge {
    digest: Digest,
    items: u32,
    question: Arc<dyn Any + Send + Sync>,
}

impl Challenge {
    pub(crate) fn new(digest: Digest, items: u32, question: Arc<dyn Any + Send + Sync>) -> Self {
        Self { digest, items, question }
    }

    /// Covers the task file and all of the question, the truth included.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Things asked about in one challenge, as the task file says.
    pub fn items(&self) -> usize {
        self.items as usize
    }

    /// The question of a kind; `None` if the challenge is another kind's.
    pub(crate) fn question<Q: 'static>(&self) -> Option<&Q> {
        self.question.downcast_ref()
    }
}

impl PartialEq for Challenge {
    fn eq(&self, other: &Self) -> bool {
        // The digest covers all of the question.
        self.digest == other.digest
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").field("digest", &self.digest).field("items", &self.items).finish()
    }
}

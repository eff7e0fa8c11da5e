//! What a worker may say of an item.

/// Words that are answers of their own, and so can't be classes.
pub const RESERVED: [&str; 3] = ["skip", "unsure", "undo"];

/// An answer. A worker's last answer for an item is the one that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// One of the job's classes: a vote.
    Class(usize),
    /// No vote: somebody else gets the item, and nothing is said about it.
    Skip,
    /// No vote either, but the item is hard: it comes first among equals on the review list.
    Unsure,
    /// Takes the answer before back: the worker may be given the item again.
    Undo,
}

impl Answer {
    /// Reads an answer by its word.
    pub fn read(word: &str, classes: &[String]) -> Option<Self> {
        match word {
            "skip" => Some(Self::Skip),
            "unsure" => Some(Self::Unsure),
            "undo" => Some(Self::Undo),
            _ => classes.iter().position(|class| class == word).map(Self::Class),
        }
    }

    pub fn word(self, classes: &[String]) -> &str {
        match self {
            Self::Class(class) => classes.get(class).map_or("?", String::as_str),
            Self::Skip => "skip",
            Self::Unsure => "unsure",
            Self::Undo => "undo",
        }
    }

    pub fn class(self) -> Option<usize> {
        match self {
            Self::Class(class) => Some(class),
            Self::Skip | Self::Unsure | Self::Undo => None,
        }
    }
}

//! Who gave which item which class.

/// One label: a worker's word on one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    pub item: usize,
    pub worker: usize,
    pub class: usize,
}

/// The labels of a crowd, over items, workers and classes that are numbered from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Votes {
    items: usize,
    workers: usize,
    classes: usize,
    votes: Vec<Vote>,
}

/// Why labels are none of these items, workers and classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VotesError {
    #[error("there are {0} classes, and labels choose among at least two")]
    Classes(usize),
    #[error("label {at} is of item {item}, and there are {items}")]
    Item { at: usize, item: usize, items: usize },
    #[error("label {at} is of worker {worker}, and there are {workers}")]
    Worker { at: usize, worker: usize, workers: usize },
    #[error("label {at} is class {class}, and there are {classes}")]
    Class { at: usize, class: usize, classes: usize },
}

impl Votes {
    /// # Errors
    /// Fewer than two classes; a label outside the items, workers or classes.
    pub fn new(items: usize, workers: usize, classes: usize, votes: Vec<Vote>) -> Result<Self, VotesError> {
        if classes < 2 {
            return Err(VotesError::Classes(classes));
        }
        for (at, Vote { item, worker, class }) in votes.iter().copied().enumerate() {
            if item >= items {
                return Err(VotesError::Item { at, item, items });
            }
            if worker >= workers {
                return Err(VotesError::Worker { at, worker, workers });
            }
            if class >= classes {
                return Err(VotesError::Class { at, class, classes });
            }
        }
        Ok(Self { items, workers, classes, votes })
    }

    pub fn items(&self) -> usize {
        self.items
    }

    pub fn workers(&self) -> usize {
        self.workers
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    pub fn iter(&self) -> impl Iterator<Item = Vote> + '_ {
        self.votes.iter().copied()
    }

    /// Those of the same crowd that are kept.
    pub fn only(&self, keep: impl Fn(&Vote) -> bool) -> Self {
        let votes = self.votes.iter().copied().filter(keep).collect();
        Self { votes, ..*self }
    }

    pub fn len(&self) -> usize {
        self.votes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.votes.is_empty()
    }
}

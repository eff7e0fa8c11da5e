//! The stake-weighted median of each miner's weights.
//!
//! The chain finds it by quick-select. Every voter has a positive vote (its share of the active stake, divided by a sum of at
//! most 1), so that the votes below a score grow from each score to the next, and exactly one score has at most `minority`
//! votes below it and more than that up to it: the one on which quick-select must end, whichever pivots it takes. A
//! `minority` outside of the votes' range leads it to the smallest or the largest score.

use super::cells::Cells;
use super::exact::{Bits, normalize, score_of, weight_of};
use super::tiles::Tiles;

/// Pairs per weight up to which a matrix is dense, and searched in tiles.
const DENSE_FROM_ONE_IN: usize = 4;

/// Finds medians; keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Medians {
    /// Shares of the active stake, by uid.
    votes: Vec<Bits>,
    tiles: Tiles,
    lists: Lists,
}

impl Medians {
    /// The median of each column over the validators with stake; a missing weight counts as 0.
    pub(super) fn find(&mut self, medians: &mut Vec<Bits>, cells: &Cells, stake: &[Bits], majority: Bits) {
        self.votes.clear();
        self.votes.extend_from_slice(stake);
        normalize(&mut self.votes);
        let total: Bits = self.votes.iter().sum();
        medians.clear();
        medians.resize(stake.len(), 0);
        if total == 0 {
            return;
        }
        // At most 2^32 - 1, as the total is at most 2^32.
        let minority = total.saturating_sub(majority).min(total - 1) as u32;
        let rows = cells.spans.iter().filter(|span| self.votes[span.uid] != 0).count();
        // Tiles look at every cell, lists sort the given ones: below this density sorting is cheaper.
        if cells.columns.len() * DENSE_FROM_ONE_IN >= rows * stake.len() {
            self.tiles.find(medians, cells, &self.votes, total, minority);
        } else {
            self.lists.find(medians, cells, &self.votes, total, minority);
        }
    }
}

/// Finds medians by sorting what was given to each miner.
#[derive(Debug, Default)]
struct Lists {
    columns: Vec<List>,
    /// (score, vote), column after column.
    entries: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct List {
    /// Of the voters that gave a score above 0, and how many they are.
    votes: Bits,
    voters: usize,
    /// Position of the next entry.
    end: usize,
}

impl Lists {
    fn find(&mut self, medians: &mut [Bits], cells: &Cells, votes: &[Bits], total: Bits, minority: u32) {
        self.columns.clear();
        self.columns.resize(votes.len(), List::default());
        for_each_vote(cells, votes, |column, _, vote| {
            let list = &mut self.columns[column];
            list.votes += vote;
            list.voters += 1;
        });
        let mut length = 0;
        for list in &mut self.columns {
            list.end = length;
            // The zeros decide alone.
            if total - list.votes > minority.into() {
                list.voters = 0;
            }
            length += list.voters;
        }
        self.entries.resize(length, (0, 0));
        for_each_vote(cells, votes, |column, score, vote| {
            let list = &mut self.columns[column];
            if list.voters != 0 {
                // Only a sole voter's vote of 2^32 is cut, to 0, which is as good.
                self.entries[list.end] = (score, vote as u32);
                list.end += 1;
            }
        });
        for (list, median) in self.columns.iter().zip(medians) {
            let entries = &mut self.entries[list.end - list.voters.min(list.end)..list.end];
            // Entries that compare equal are equal, so that no stable sort is needed.
            entries.sort_unstable();
            let mut up_to = total - list.votes;
            for &(score, vote) in &*entries {
                *median = weight_of(score);
                up_to += u64::from(vote);
                if up_to > minority.into() {
                    break;
                }
            }
        }
    }
}

fn for_each_vote(cells: &Cells, votes: &[Bits], mut take: impl FnMut(usize, u32, Bits)) {
    for span in cells.spans.iter().filter(|span| votes[span.uid] != 0) {
        let vote = votes[span.uid];
        for (&column, &weight) in span.of(&cells.columns).iter().zip(span.of(&cells.weights)) {
            if weight != 0 {
                take(column.into(), score_of(weight), vote);
            }
        }
    }
}

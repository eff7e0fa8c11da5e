//! The stake-weighted median of each miner's weights.
//!
//! The chain finds it by quick-select. Every voter has a positive vote (a share of stake only grows when the sum that it
//! is divided by is at most 1), so that the votes below a score grow from each score to the next, and exactly one score
//! has at most `minority` below it and more than that up to it: the one on which quick-select must end, whichever pivots
//! it takes. A `minority` outside of the votes' range leads it to the smallest or the largest score.

use super::cells::Cells;
use super::exact::{Bits, ONE, normalize};

/// Columns searched at once.
const LANES: usize = 16;
/// A column with fewer scores than one for so many voters is sorted instead.
const DENSE_FROM_ONE_IN: u64 = 4;
/// Votes and their number in one word: the votes add up to at most 2^32, from at most 2^12 voters.
const ONE_VOTER: u64 = 1 << 40;

/// Finds medians; keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Medians {
    /// Shares of the active stake, by uid.
    votes: Vec<Bits>,
    /// By column: the votes that gave it a score above 0, and how many they are.
    tallies: Vec<u64>,
    places: Vec<Place>,
    /// Blocks of columns by rows of voters, as [`coded`].
    tiles: Vec<[i32; LANES]>,
    /// The votes of the tiles' rows. Only a sole voter has one of 2^32; it becomes 0 here, which is as good.
    tile_votes: Vec<u32>,
    /// The columns of the tiles' lanes.
    tile_columns: Vec<u16>,
    /// (score, vote) of the thin columns, column after column.
    lists: Vec<(u32, u32)>,
}

/// Where the scores of a column are collected.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Its median is 0.
    Nowhere,
    Tile {
        /// Of its lane's first row.
        start: usize,
    },
    /// `end` moves on with each entry.
    List {
        start: usize,
        end: usize,
    },
}

/// 1 needs a 33rd bit. 1 less 2^-32 stands for it: a row's submitted weights add up to less than 2^28, so that a share
/// below 1 is at most 1 less 2^-28.
fn score_of(weight: Bits) -> u32 {
    u32::try_from(weight).unwrap_or(u32::MAX)
}

fn weight_of(score: u32) -> Bits {
    if score == u32::MAX { ONE } else { score.into() }
}

/// In the order of signed numbers, which all machines compare several at a time.
fn coded(score: u32) -> i32 {
    (score ^ (1 << 31)) as i32
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
        self.count(cells);
        self.place(total, minority);
        self.collect(cells);
        self.search_tiles(medians, total, minority);
        self.search_lists(medians, total, minority);
    }

    fn count(&mut self, cells: &Cells) {
        self.tallies.clear();
        self.tallies.resize(self.votes.len(), 0);
        self.tile_votes.clear();
        for span in &cells.spans {
            let vote = self.votes[span.uid];
            if vote == 0 {
                continue;
            }
            self.tile_votes.push(vote as u32);
            let columns = &cells.columns[span.start..span.end];
            for (&column, &weight) in columns.iter().zip(&cells.weights[span.start..span.end]) {
                let tally = &mut self.tallies[usize::from(column)];
                *tally = tally.wrapping_add(if weight == 0 { 0 } else { ONE_VOTER | vote });
            }
        }
    }

    /// Leaves out the columns whose zeros alone decide.
    fn place(&mut self, total: Bits, minority: u32) {
        let rows = self.tile_votes.len();
        let mut list_end = 0;
        self.tile_columns.clear();
        self.places.clear();
        for (column, tally) in (0..).zip(&self.tallies) {
            let (voters, votes) = (tally / ONE_VOTER, tally % ONE_VOTER);
            self.places.push(if total - votes > minority.into() {
                Place::Nowhere
            } else if voters * DENSE_FROM_ONE_IN < rows as u64 {
                let start = list_end;
                list_end += voters as usize;
                Place::List { start, end: start }
            } else {
                let at = self.tile_columns.len();
                self.tile_columns.push(column);
                Place::Tile { start: at / LANES * rows * LANES + at % LANES }
            });
        }
        self.tiles.clear();
        self.tiles.resize(self.tile_columns.len().div_ceil(LANES) * rows, [coded(0); LANES]);
        self.lists.clear();
        self.lists.resize(list_end, (0, 0));
    }

    fn collect(&mut self, cells: &Cells) {
        let scores = self.tiles.as_flattened_mut();
        let mut row = 0;
        for span in &cells.spans {
            let vote = self.votes[span.uid];
            if vote == 0 {
                continue;
            }
            let columns = &cells.columns[span.start..span.end];
            for (&column, &weight) in columns.iter().zip(&cells.weights[span.start..span.end]) {
                match &mut self.places[usize::from(column)] {
                    Place::Tile { start } => scores[*start + row * LANES] = coded(score_of(weight)),
                    Place::List { end, .. } if weight != 0 => {
                        self.lists[*end] = (score_of(weight), vote as u32);
                        *end += 1;
                    }
                    Place::List { .. } | Place::Nowhere => {}
                }
            }
            row += 1;
        }
    }

    fn search_tiles(&self, medians: &mut [Bits], total: Bits, minority: u32) {
        let rows = self.tile_votes.len();
        // Voters without a row score every miner 0.
        let absent = (total as u32).wrapping_sub(self.tile_votes.iter().copied().fold(0, u32::wrapping_add));
        let blocks = self.tile_columns.chunks(LANES).zip(self.tiles.chunks(rows.max(1)));
        for (columns, tile) in blocks {
            let scores = search(tile, &self.tile_votes, absent, minority);
            for (&column, score) in columns.iter().zip(scores) {
                medians[usize::from(column)] = weight_of(score);
            }
        }
    }

    fn search_lists(&mut self, medians: &mut [Bits], total: Bits, minority: u32) {
        for ((place, median), tally) in self.places.iter().zip(medians).zip(&self.tallies) {
            if let &Place::List { start, end } = place {
                let list = &mut self.lists[start..end];
                list.sort_unstable();
                let mut up_to = total - tally % ONE_VOTER;
                for &(score, vote) in &*list {
                    *median = weight_of(score);
                    up_to += u64::from(vote);
                    if up_to > minority.into() {
                        break;
                    }
                }
            }
        }
    }
}

/// In each lane, the largest score with at most `minority` votes below it, bit by bit. Up to the lane's largest score, the
/// votes below are less than all votes and fit 32 bits; beyond, no candidate is taken.
fn search(tile: &[[i32; LANES]], votes: &[u32], absent: u32, minority: u32) -> [u32; LANES] {
    let mut largest = [coded(0); LANES];
    for row in tile {
        for (largest, &score) in largest.iter_mut().zip(row) {
            *largest = if score > *largest { score } else { *largest };
        }
    }
    let any = largest.iter().fold(0, |any, &largest| any | (largest as u32 ^ (1 << 31)));
    let mut found = [0_u32; LANES];
    for bit in (0..u32::BITS - any.leading_zeros()).rev() {
        let candidates = found.map(|found| coded(found | 1 << bit));
        let below = votes_below(tile, votes, absent, &candidates);
        for lane in 0..LANES {
            let taken = candidates[lane] <= largest[lane] && below[lane] <= minority;
            found[lane] |= u32::from(taken) << bit;
        }
    }
    found
}

fn votes_below(tile: &[[i32; LANES]], votes: &[u32], absent: u32, candidates: &[i32; LANES]) -> [u32; LANES] {
    let mut below = [absent; LANES];
    for (row, &vote) in tile.iter().zip(votes) {
        // Never so, but for the sole voter's. It keeps the compiler at taking a row's lanes together, not a lane's rows.
        if vote == 0 {
            break;
        }
        for lane in 0..LANES {
            below[lane] = below[lane].wrapping_add(if row[lane] < candidates[lane] { vote } else { 0 });
        }
    }
    below
}

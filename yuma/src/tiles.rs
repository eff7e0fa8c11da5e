//! Medians of dense weights: sixteen columns at a time are narrowed down together.

use super::cells::Cells;
use super::exact::{Bits, score_of, weight_of};

/// Columns in a tile.
const LANES: usize = 16;
/// Rounds after which few scores are left between the bounds, so that trying the lowest of them pays.
const HALVINGS: u32 = 7;

type Lanes = [i32; LANES];

/// Finds medians; keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Tiles {
    /// Tile after tile, a row per voter, with [`coded`] scores.
    scores: Vec<Lanes>,
    /// The votes of a tile's rows. Only a sole voter has one of 2^32; it becomes 0 here, which is as good.
    votes: Vec<u32>,
}

/// In the order of signed numbers, which all machines compare several at a time.
fn coded(score: u32) -> i32 {
    (score ^ (1 << 31)).cast_signed()
}

fn decoded(code: i32) -> u32 {
    code.cast_unsigned() ^ (1 << 31)
}

impl Tiles {
    pub(super) fn find(
        &mut self,
        medians: &mut [Bits],
        cells: &Cells,
        votes: &[Bits],
        total: Bits,
        minority: u32,
    ) {
        let spans = cells.spans.iter().filter(|span| votes[span.uid] != 0);
        self.votes.clear();
        self.votes.extend(spans.clone().map(|span| votes[span.uid] as u32));
        // Voters without a row score every miner 0.
        // Modulo 2^32: a sole voter's total and vote of 2^32 both become 0, and the difference stays right.
        let absent = (total as u32).wrapping_sub(self.votes.iter().copied().fold(0, u32::wrapping_add));
        if absent > minority || self.votes.is_empty() {
            return;
        }
        let rows = self.votes.len();
        self.scores.clear();
        self.scores.resize(medians.len().div_ceil(LANES) * rows, [coded(0); LANES]);
        for (row, span) in spans.enumerate() {
            match span.run {
                Some(first) => self.put_run(row, first, span.of(&cells.weights)),
                None => self.put(row, span.of(&cells.columns), span.of(&cells.weights)),
            }
        }
        for (medians, tile) in medians.chunks_mut(LANES).zip(self.scores.chunks(rows)) {
            let search = Search { tile, votes: &self.votes, absent, minority };
            for (median, code) in medians.iter_mut().zip(search.run()) {
                *median = weight_of(decoded(code));
            }
        }
    }
}

impl Tiles {
    fn put(&mut self, row: usize, columns: &[u16], weights: &[Bits]) {
        let rows = self.votes.len();
        let scores = self.scores.as_flattened_mut();
        for (&column, &weight) in columns.iter().zip(weights) {
            let column = usize::from(column);
            // At most UIDS_MAX columns and rows: no product comes near the limits.
            let tile = (column / LANES).wrapping_mul(rows).wrapping_add(row);
            scores[tile.wrapping_mul(LANES) | (column % LANES)] = coded(score_of(weight));
        }
    }

    fn put_run(&mut self, row: usize, first: usize, weights: &[Bits]) {
        let (mut column, mut weights) = (first, weights);
        while !weights.is_empty() {
            let lane = column % LANES;
            let (here, rest) = weights.split_at(weights.len().min(LANES - lane));
            let tile = &mut self.scores[column / LANES * self.votes.len() + row];
            for (score, &weight) in tile[lane..].iter_mut().zip(here) {
                *score = coded(score_of(weight));
            }
            column += here.len();
            weights = rest;
        }
    }
}

/// One tile.
struct Search<'a> {
    tile: &'a [Lanes],
    votes: &'a [u32],
    absent: u32,
    minority: u32,
}

impl Search<'_> {
    /// In each lane, the largest score with at most `minority` votes below it.
    ///
    /// It lies in `low..=high` all along: there are at most `minority` votes below `low`, and more up to `high`, or `high` is
    /// the lane's largest score. Votes are only counted below something that is at most `high`, where they are less than
    /// all votes and fit 32 bits.
    fn run(&self) -> Lanes {
        let (mut low, mut high) = self.extremes();
        for round in 0.. {
            if low == high {
                break;
            }
            // Trying alone may take a round for each score that is left; halving in between bounds the rounds.
            if round < HALVINGS || round % 2 == 0 {
                self.halve(&mut low, &mut high);
            } else {
                self.try_lowest(&mut low, &mut high);
            }
        }
        low
    }

    fn halve(&self, low: &mut Lanes, high: &mut Lanes) {
        let mut middle = [0; LANES];
        for lane in 0..LANES {
            let width = high[lane].wrapping_sub(low[lane]).cast_unsigned();
            // Rounded up: a middle at the lower bound would leave both bounds as they are.
            middle[lane] = low[lane].wrapping_add_unsigned(width - width / 2);
        }
        let below = self.votes_below(&middle);
        for lane in 0..LANES {
            if below[lane] <= self.minority {
                low[lane] = middle[lane];
            } else {
                high[lane] = middle[lane].wrapping_sub(1);
            }
        }
    }

    /// Settles the lanes whose lowest score in the bounds it is, and raises their bound in the others.
    fn try_lowest(&self, low: &mut Lanes, high: &mut Lanes) {
        let lowest = self.lowest_from(low, high);
        let mut above = [0; LANES];
        for lane in 0..LANES {
            above[lane] = if lowest[lane] < high[lane] { lowest[lane].wrapping_add(1) } else { high[lane] };
        }
        let up_to = self.votes_below(&above);
        for lane in 0..LANES {
            if up_to[lane] <= self.minority {
                low[lane] = above[lane];
            } else {
                low[lane] = lowest[lane];
                high[lane] = lowest[lane];
            }
        }
    }

    #[inline(never)]
    fn extremes(&self) -> (Lanes, Lanes) {
        let (mut smallest, mut largest) = ([i32::MAX; LANES], [i32::MIN; LANES]);
        for row in self.tile {
            for lane in 0..LANES {
                smallest[lane] = smallest[lane].min(row[lane]);
                largest[lane] = largest[lane].max(row[lane]);
            }
        }
        (smallest, largest)
    }

    #[inline(never)]
    /// The smallest score of at least `low`, or `high` if that is less.
    fn lowest_from(&self, low: &Lanes, high: &Lanes) -> Lanes {
        let mut lowest = *high;
        for row in self.tile {
            for lane in 0..LANES {
                let score = if row[lane] < low[lane] { i32::MAX } else { row[lane] };
                lowest[lane] = lowest[lane].min(score);
            }
        }
        lowest
    }

    #[inline(never)]
    fn votes_below(&self, limits: &Lanes) -> [u32; LANES] {
        let mut below = [self.absent; LANES];
        for (row, &vote) in self.tile.iter().zip(self.votes) {
            // Never so, but for the sole voter's. It keeps the compiler at taking a row's lanes together, not a lane's rows.
            if vote == 0 {
                break;
            }
            for lane in 0..LANES {
                below[lane] = below[lane].wrapping_add(if row[lane] < limits[lane] { vote } else { 0 });
            }
        }
        below
    }
}

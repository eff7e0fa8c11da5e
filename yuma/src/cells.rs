//! The pairs of validator and miner that an epoch works on: wherever there is a weight or an old bond.
//!
//! **Invariant.** Rows stand in the order of the uids and hold ascending columns. A cell without a weight or without a bond
//! holds 0 there: only liquid alpha tells a weight of 0 from an absent one, and it looks into the submitted rows.

use super::exact::{Bits, Divisor};
use super::input::{EpochInput, RowChecks};

/// Cells by column, row after row. All vectors but `spans` have one entry per cell.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) spans: Vec<Span>,
    pub(super) columns: Vec<u16>,
    /// Shares of the row, at most 1.
    pub(super) weights: Vec<Bits>,
    /// The old bonds, as stored.
    pub(super) old: Vec<u16>,
    /// Of the row at hand: weights as submitted.
    submitted: Vec<u16>,
    sorted: [Vec<(u16, u16)>; 2],
}

type CellRow<'a> = &'a [(u16, u16)];

/// Range of the cells of a uid's row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) uid: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The first column, if the columns follow on each other without a gap, as in a dense row.
    pub(super) run: Option<usize>,
}

impl Span {
    /// A row with at least one cell.
    fn new(uid: usize, start: usize, columns: &[u16]) -> Self {
        let (first, last) = (usize::from(columns[start]), usize::from(columns[columns.len() - 1]));
        let end = columns.len();
        Self { uid, start, end, run: (last - first == end - 1 - start).then_some(first) }
    }

    pub(super) fn of<T>(self, cells: &[T]) -> &[T] {
        &cells[self.start..self.end]
    }

    /// Makes one value per cell from the state of its column and two values of the cell. `made` has
    /// those of the span, the others those of all cells.
    #[inline(always)]
    pub(super) fn make<M, A: Copy, B: Copy, C>(
        self,
        columns: &[u16],
        by_column: &mut [M],
        (a, b): (&[A], &[B]),
        made: &mut [C],
        mut make: impl FnMut(&mut M, A, B) -> C,
    ) {
        let cells = self.of(a).iter().zip(self.of(b)).zip(made);
        match self.run {
            Some(first) => {
                for (((&a, &b), made), state) in cells.zip(&mut by_column[first..]) {
                    *made = make(state, a, b);
                }
            }
            None => {
                for (((&a, &b), made), &column) in cells.zip(self.of(columns)) {
                    *made = make(&mut by_column[usize::from(column)], a, b);
                }
            }
        }
    }
}

/// Selects the weights of a row that count: no self-weights (but the owner's) and none meant for a uid's previous holder.
pub(super) struct CountedWeights<'a> {
    registered: &'a [u64],
    /// Miners that registered at or after this block are too young for the row.
    before: u64,
    forbidden: Option<u16>,
}

impl<'a> CountedWeights<'a> {
    pub(super) fn of_row(input: &'a EpochInput, uid: usize) -> Self {
        let updated = input.last_update[uid];
        let before = match input.earliest_commit_block[uid] {
            // A commit in the very block of the registration counts; an update must come after it.
            Some(committed) if input.hyperparameters.commit_reveal => {
                updated.min(committed.saturating_add(1))
            }
            _ => updated,
        };
        let forbidden = input.owner_uid.map(usize::from) != Some(uid);
        let forbidden = forbidden.then(|| u16::try_from(uid).expect("validated: at most UIDS_MAX uids"));
        Self { registered: &input.block_at_registration, before, forbidden }
    }

    pub(super) fn holds(&self, miner: u16) -> bool {
        self.registered[usize::from(miner)] < self.before && Some(miner) != self.forbidden
    }
}

impl Cells {
    /// Weights of permitted validators, as far as they count, each row divided by its sum; and stored bonds, without
    /// those to miners that registered since the last step.
    pub(super) fn fill(&mut self, input: &EpochInput, permits: &[bool], checks: &RowChecks) {
        self.spans.clear();
        self.columns.clear();
        self.weights.clear();
        self.old.clear();
        // One look at the youngest spares most rows the test of every cell.
        let youngest = input.block_at_registration.iter().copied().max().unwrap_or_default();
        for (uid, (&permit, bonds)) in permits.iter().zip(&input.bonds).enumerate() {
            let weights = if permit { &input.weights[uid][..] } else { &[] };
            if weights.is_empty() && bonds.is_empty() {
                continue;
            }
            let start = self.columns.len();
            self.join((weights, checks.weights_ascend[uid]), (bonds, checks.bonds_ascend[uid]));
            self.spans.push(Span::new(uid, start, &self.columns));
            self.drop_uncounted(&CountedWeights::of_row(input, uid), youngest, start);
            if youngest >= input.last_step_boundary_block {
                self.drop_bonds(input, start);
            }
            let sum: u32 = self.submitted.iter().copied().map(u32::from).fold(0, u32::wrapping_add);
            let divisor = Divisor::new(sum.into());
            self.weights.extend(self.submitted.iter().map(|&weight| divisor.share(weight.into())));
        }
    }

    /// The union of both rows' columns. Each row comes with whether its columns ascend.
    fn join(
        &mut self,
        (weights, weights_ascend): (CellRow<'_>, bool),
        (bonds, bonds_ascend): (CellRow<'_>, bool),
    ) {
        self.submitted.clear();
        // The common case by far: a validator names the same miners in every epoch.
        if weights_ascend && same_columns(weights, bonds) {
            self.columns.extend(weights.iter().map(|&(column, _)| column));
            self.submitted.extend(weights.iter().map(|&(_, weight)| weight));
            self.old.extend(bonds.iter().map(|&(_, bond)| bond));
            return;
        }
        let Self { sorted: [sorted_weights, sorted_bonds], columns, submitted, old, .. } = self;
        let weights = if weights_ascend { weights } else { sort(weights, sorted_weights) };
        let bonds = if bonds_ascend { bonds } else { sort(bonds, sorted_bonds) };
        // Beyond the end of a row lies a column that no row has.
        let at = |row: CellRow<'_>, next: usize| {
            row.get(next).map_or((u32::MAX, 0), |&(column, value)| (column.into(), value))
        };
        let (mut next_weight, mut next_bond) = (0, 0);
        loop {
            let (weighed, weight) = at(weights, next_weight);
            let (bonded, bond) = at(bonds, next_bond);
            let Ok(column) = u16::try_from(weighed.min(bonded)) else { return };
            let (is_weighed, is_bonded) = (weighed <= bonded, bonded <= weighed);
            columns.push(column);
            submitted.push(if is_weighed { weight } else { 0 });
            old.push(if is_bonded { bond } else { 0 });
            next_weight += usize::from(is_weighed);
            next_bond += usize::from(is_bonded);
        }
    }

    fn drop_uncounted(&mut self, counted: &CountedWeights<'_>, youngest: u64, start: usize) {
        let columns = &self.columns[start..];
        if youngest >= counted.before {
            let cells = columns.iter().zip(&mut self.submitted);
            cells.filter(|&(&column, _)| !counted.holds(column)).for_each(|(_, weight)| *weight = 0);
        } else if let Some(forbidden) = counted.forbidden
            && let Ok(at) = columns.binary_search(&forbidden)
        {
            self.submitted[at] = 0;
        }
    }

    fn drop_bonds(&mut self, input: &EpochInput, start: usize) {
        for (&column, bond) in self.columns[start..].iter().zip(&mut self.old[start..]) {
            if input.block_at_registration[usize::from(column)] >= input.last_step_boundary_block {
                *bond = 0;
            }
        }
    }
}

fn same_columns(one: CellRow<'_>, other: CellRow<'_>) -> bool {
    // All pairs, without a way out, so that it goes several at a time.
    one.len() == other.len()
        && one.iter().zip(other).fold(0, |differing, (one, other)| differing | (one.0 ^ other.0)) == 0
}

fn sort<'a>(row: CellRow<'_>, sorted: &'a mut Vec<(u16, u16)>) -> CellRow<'a> {
    sorted.clear();
    sorted.extend_from_slice(row);
    sorted.sort_unstable();
    sorted
}

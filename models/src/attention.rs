//! Attention over what is kept of a sequence.

use rayon::prelude::*;

use crate::panels::{HEIGHT_MAX, Lane, PANEL, SHARED_FROM, Tile, TiledPass, Tiles, dispatch};
use crate::rows::powers;

/// Rows that one thread takes at a time.
const SHARE: usize = 24;

/// The layout of a row of queries, keys and values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) width: usize,
}

impl Heads {
    pub(crate) fn row(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.width
    }

    pub(crate) fn queries(&self) -> usize {
        self.heads * self.width
    }

    /// Lanes that one head's values take.
    fn lanes(&self) -> usize {
        self.width.div_ceil(PANEL)
    }
}

/// The tokens that a row of a sequence sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sees {
    /// Itself and those before it.
    Before,
    /// The whole sequence, of so many tokens.
    All(usize),
}

impl Sees {
    /// Tokens that the row at this position sees.
    fn count(self, position: usize) -> usize {
        match self {
            Self::Before => position + 1,
            Self::All(tokens) => tokens,
        }
    }
}

/// One layer's keys and values of a sequence.
#[derive(Clone, Debug)]
pub(crate) struct LayerCache {
    /// For each head panels of 32 tokens, number by number.
    keys: Vec<f32>,
    /// For each head its tokens' numbers, filled up to whole lanes.
    values: Vec<f32>,
    capacity: usize,
}

impl LayerCache {
    pub(crate) fn new(heads: &Heads, tokens: usize) -> Self {
        let capacity = tokens.next_multiple_of(PANEL);
        let keys = vec![0.0; heads.kv_heads * capacity * heads.width];
        let values = vec![0.0; heads.kv_heads * capacity * heads.lanes() * PANEL];
        Self { keys, values, capacity }
    }

    /// Keeps rows' keys and values from position `first` on.
    pub(crate) fn write(&mut self, heads: &Heads, first: usize, rows: &[f32]) {
        let Heads { kv_heads, width, .. } = *heads;
        let (capacity, padded) = (self.capacity, heads.lanes() * PANEL);
        for (position, row) in (first..).zip(rows.chunks_exact(heads.row())) {
            let (keys, values) = row[heads.queries()..].split_at(kv_heads * width);
            for (head, key) in keys.chunks_exact(width).enumerate() {
                let panel = (head * capacity / PANEL + position / PANEL) * width;
                let lanes = &mut self.keys.as_chunks_mut::<PANEL>().0[panel..panel + width];
                for (lane, number) in lanes.iter_mut().zip(key) {
                    lane[position % PANEL] = *number;
                }
            }
            for (head, value) in values.chunks_exact(width).enumerate() {
                let start = (head * capacity + position) * padded;
                self.values[start..start + width].copy_from_slice(value);
            }
        }
    }

    /// A head's keys and values.
    fn head(&self, heads: &Heads, head: usize) -> (&[Lane], &[Lane]) {
        let (keys, values) = (self.keys.as_chunks().0, self.values.as_chunks().0);
        let (key, value) = (self.capacity / PANEL * heads.width, self.capacity * heads.lanes());
        (&keys[head * key..(head + 1) * key], &values[head * value..(head + 1) * value])
    }
}

/// Consecutive rows of one sequence, the first at position `first`.
pub(crate) struct AttendTask<'a> {
    pub(crate) kept: &'a LayerCache,
    pub(crate) sees: Sees,
    pub(crate) first: usize,
    pub(crate) rows: &'a [f32],
    pub(crate) out: &'a mut [f32],
}

/// Attention of each task, shared by threads if it is worth their while.
pub(crate) fn attend_each(heads: &Heads, tasks: Vec<AttendTask<'_>>) {
    let cost =
        |task: &AttendTask<'_>| task.out.len() * task.sees.count(task.first + task.rows.len() / heads.row());
    if rayon::current_num_threads() == 1 || tasks.iter().map(cost).sum::<usize>() < SHARED_FROM {
        return tasks.into_iter().for_each(|task| dispatch(Attention { heads, task }));
    }
    tasks.into_par_iter().for_each(|AttendTask { kept, sees, first, rows, out }| {
        let parts = rows.par_chunks(SHARE * heads.row()).zip(out.par_chunks_mut(SHARE * heads.queries()));
        parts.enumerate().for_each(|(part, (rows, out))| {
            dispatch(Attention {
                heads,
                task: AttendTask { kept, sees, first: first + part * SHARE, rows, out },
            });
        });
    });
}

/// Keeps the rows of whole sequences that stand one after the other, and attends to each.
pub(crate) fn attend_pack(
    heads: &Heads,
    sequences: impl Iterator<Item = (usize, Sees)>,
    kept: &mut [LayerCache],
    mut rows: &[f32],
    mut out: &mut [f32],
) {
    let mut tasks = Vec::with_capacity(kept.len());
    for (kept, (tokens, sees)) in kept.iter_mut().zip(sequences) {
        let (own, later) = rows.split_at(tokens * heads.row());
        let (to, later_to) = out.split_at_mut(tokens * heads.queries());
        (rows, out) = (later, later_to);
        kept.write(heads, 0, own);
        tasks.push(AttendTask { kept, sees, first: 0, rows: own, out: to });
    }
    attend_each(heads, tasks);
}

struct Attention<'a> {
    heads: &'a Heads,
    task: AttendTask<'a>,
}

impl TiledPass for Attention<'_> {
    #[inline(always)]
    fn run<T: Tile>(self, tile: T) {
        let Self { heads, task } = self;
        let mut queries = vec![0.0; task.out.len() / heads.heads];
        for head in 0..heads.heads {
            // Neighbouring query heads share one head of keys and values (grouped-query attention).
            let kept = task.kept.head(heads, head * heads.kv_heads / heads.heads);
            let scale = 1.0 / (heads.width as f32).sqrt();
            let place = head * heads.width..(head + 1) * heads.width;
            let own = task.rows.chunks_exact(heads.row()).map(|row| &row[place.clone()]);
            for (to, query) in queries.chunks_exact_mut(heads.width).zip(own) {
                to.iter_mut().zip(query).for_each(|(to, number)| *to = number * scale);
            }
            let tiles = Tiles::new(&queries, heads.width);
            let (mut first, mut out) = (task.first, task.out.chunks_exact_mut(heads.queries()));
            for (height, queries) in tiles.iter() {
                let mut out = out.by_ref().take(height).map(|row| &mut row[place.clone()]);
                attend(tile, heads, kept, &Block { sees: task.sees, first, height, queries }, &mut out);
                first += height;
            }
        }
    }
}

/// Queries at consecutive positions, interleaved.
struct Block<'a> {
    sees: Sees,
    first: usize,
    height: usize,
    queries: &'a [f32],
}

#[inline(always)]
fn attend<T: Tile>(
    tile: T,
    heads: &Heads,
    (keys, values): (&[Lane], &[Lane]),
    block: &Block<'_>,
    out: &mut dyn Iterator<Item = &mut [f32]>,
) {
    let &Block { sees, first, height, queries } = block;
    let seen = sees.count(first + height - 1);
    let padded = seen.next_multiple_of(PANEL);
    let mut sums = [[0.0; PANEL]; HEIGHT_MAX];
    let mut scores = vec![0.0; height * padded];
    for (panel, keys) in keys.chunks_exact(heads.width).take(padded / PANEL).enumerate() {
        tile.sum(height, queries, keys.iter(), &mut sums);
        for (scores, sums) in scores.chunks_exact_mut(padded).zip(&sums) {
            scores[panel * PANEL..(panel + 1) * PANEL].copy_from_slice(sums);
        }
    }
    let mut weights = vec![0.0; height * seen];
    let mut totals = [0.0; HEIGHT_MAX];
    for (at, scores) in scores.chunks_exact_mut(padded).enumerate() {
        // What a row doesn't see has a weight of 0.
        totals[at] = powers(scores, sees.count(first + at));
        for (weight, power) in weights[at..].iter_mut().step_by(height).zip(scores) {
            *weight = *power;
        }
    }
    let lanes = heads.lanes();
    let mut rows: [&mut [f32]; HEIGHT_MAX] = std::array::from_fn(|_| out.next().unwrap_or_default());
    for lane in 0..lanes {
        tile.sum(height, &weights, values.iter().skip(lane).step_by(lanes), &mut sums);
        for ((row, sums), total) in rows.iter_mut().zip(&sums).zip(totals).take(height) {
            let end = heads.width.min((lane + 1) * PANEL);
            for (to, sum) in row[lane * PANEL..end].iter_mut().zip(sums) {
                *to = sum / total;
            }
        }
    }
}

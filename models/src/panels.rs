//! Matrices laid out for the processor, and products with them.
//!
//! The numbers that 32 outputs take of one input stand side by side, input after input: one row of activations streams
//! through a matrix in the order of memory, and many rows share what was loaded.
//!
//! **Invariant.** Each number of a product is one chain of multiply-adds over the inputs in their order, so it doesn't
//! depend on how many other rows, outputs or threads there are.

mod tile;

use rayon::prelude::*;

pub(crate) use tile::{HEIGHT_MAX, Lane, PANEL, Tile, TiledPass, Tiles, dispatch};

/// Numbers of a cache line.
const LINE: usize = 16;

/// Multiplications from which on threads share a product.
pub(crate) const SHARED_FROM: usize = 1 << 20;

/// `[outputs, inputs]`, in panels of outputs; the last is filled up with zeros.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    values: Vec<f32>,
    /// The start of the panels: that of a cache line, if there was room for it.
    start: usize,
    outputs: usize,
    inputs: usize,
}

impl Matrix {
    /// The capacity that a vector needs for [`Matrix::from_rows`] to work without a copy.
    pub(crate) fn room(outputs: usize, inputs: usize) -> usize {
        // A line more, so that the panels can begin at a cache line wherever the vector lies.
        outputs.next_multiple_of(PANEL) * inputs + LINE
    }

    /// From `[outputs, inputs]` row-major, within the same memory.
    pub(crate) fn from_rows(mut values: Vec<f32>, outputs: usize, inputs: usize) -> Self {
        let panel = PANEL * inputs;
        let panels = outputs.div_ceil(PANEL);
        // Room to move is taken where there is some: a copy of the whole would cost its size again.
        let start = values.as_ptr().align_offset(LINE * size_of::<f32>()) % LINE;
        let start = if values.capacity() >= panels * panel + start { start } else { 0 };
        values.resize(panels * panel + start, 0.0);
        let mut rows = vec![0.0; panel];
        // Backwards: a panel that moves up reaches into the next one's place, which is free by then.
        for at in (0..panels).rev().map(|index| index * panel) {
            rows.copy_from_slice(&values[at..at + panel]);
            let lanes = values[start + at..start + at + panel].as_chunks_mut::<PANEL>().0;
            for (output, row) in rows.chunks_exact(inputs).enumerate() {
                for (lane, value) in lanes.iter_mut().zip(row) {
                    lane[output] = *value;
                }
            }
        }
        Self { values, start, outputs, inputs }
    }

    /// `[outputs, inputs]` row-major.
    pub(crate) fn to_rows(&self) -> Vec<f32> {
        let mut rows = vec![0.0; self.outputs * self.inputs];
        for (output, row) in rows.chunks_exact_mut(self.inputs).enumerate() {
            self.row(output, row);
        }
        rows
    }

    /// One output's weights.
    pub(crate) fn row(&self, output: usize, to: &mut [f32]) {
        let lanes = &self.lanes()[output / PANEL * self.inputs..];
        for (to, lane) in to.iter_mut().zip(lanes) {
            *to = lane[output % PANEL];
        }
    }

    pub(crate) fn shape(&self) -> [usize; 2] {
        [self.outputs, self.inputs]
    }

    fn lanes(&self) -> &[Lane] {
        let panels = self.outputs.div_ceil(PANEL) * PANEL * self.inputs;
        self.values[self.start..self.start + panels].as_chunks().0
    }

    /// The product of `rows`, `[count, inputs]`, into `out`, `[count, outputs]`, on this thread alone.
    pub(crate) fn product_alone(&self, rows: &[f32], out: &mut [f32]) {
        let tiles = Tiles::new(rows, self.inputs);
        dispatch(Product { tiles: &tiles, panels: self.lanes(), outputs: self.outputs, out });
    }

    /// As [`Matrix::product_alone`], its outputs shared by threads if it is worth their while.
    pub(crate) fn product(&self, rows: &[f32], out: &mut [f32]) {
        let threads = rayon::current_num_threads();
        if threads == 1 || rows.len() * self.outputs < SHARED_FROM {
            return self.product_alone(rows, out);
        }
        let tiles = Tiles::new(rows, self.inputs);
        let panels = self.outputs.div_ceil(PANEL).div_ceil(threads);
        let share = panels * PANEL;
        // Outputs of one row lie side by side, so that each thread can write its own in place.
        if tiles.count() == 1 {
            let parts = out.par_chunks_mut(share).zip(self.lanes().par_chunks(panels * self.inputs));
            return parts.for_each(|(out, panels)| {
                dispatch(Product { tiles: &tiles, panels, outputs: out.len(), out });
            });
        }
        let part = |(index, panels): (usize, &[Lane])| {
            // Outputs of several rows don't lie together: each thread computes apart, and they are copied.
            let outputs = share.min(self.outputs - index * share);
            let mut part = vec![0.0; tiles.count() * outputs];
            dispatch(Product { tiles: &tiles, panels, outputs, out: &mut part });
            (index * share, outputs, part)
        };
        let parts: Vec<_> = self.lanes().par_chunks(panels * self.inputs).enumerate().map(part).collect();
        for (start, outputs, part) in parts {
            for (row, part) in out.chunks_exact_mut(self.outputs).zip(part.chunks_exact(outputs)) {
                row[start..start + outputs].copy_from_slice(part);
            }
        }
    }
}

/// Some panels' share of a product.
struct Product<'a> {
    tiles: &'a Tiles,
    panels: &'a [Lane],
    outputs: usize,
    out: &'a mut [f32],
}

impl TiledPass for Product<'_> {
    #[inline(always)]
    fn run<T: Tile>(self, tile: T) {
        let mut sums = [[0.0; PANEL]; HEIGHT_MAX];
        for (index, panel) in self.panels.chunks_exact(self.tiles.inputs()).enumerate() {
            let start = index * PANEL;
            let end = self.outputs.min(start + PANEL);
            let mut rows = self.out.chunks_exact_mut(self.outputs);
            for (height, values) in self.tiles.iter() {
                tile.sum(height, values, panel.iter(), &mut sums);
                for (row, sums) in rows.by_ref().take(height).zip(&sums) {
                    match <&mut Lane>::try_from(&mut row[start..end]) {
                        Ok(to) => *to = *sums,
                        Err(_) => row[start..end].copy_from_slice(&sums[..end - start]),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

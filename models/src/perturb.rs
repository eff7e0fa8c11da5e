//! Seeded perturbation of scans: a rotation, a sub-pixel shift, and noise.
//!
//! **Invariant.** The same seed gives the same bits on every machine: a value-stable generator, `f64` arithmetic of
//! `+ - * /` in a written order, and functions of the `libm` crate only, never the platform's.

use std::f64::consts::PI;

use rand_chacha::ChaCha20Rng;

use crate::digits::{INK, PIXELS, SIDE};
use crate::draw::{Gaussian, unit};

/// Limits of a scan's perturbation. Shifts and rotations are uniform in `[-max, max]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perturbation {
    /// Pixels, each axis on its own.
    pub max_shift_px: f64,
    /// Degrees, about the scan's centre.
    pub max_rotation_degrees: f64,
    /// Standard deviation of the Gaussian noise added to each pixel, where paper is 0 and ink is 1.
    pub noise_sigma: f64,
}

/// Rotates, shifts (bilinear, paper beyond the edges), adds noise, and clamps to [0, 1].
pub fn perturb(pixels: &[u8; PIXELS], by: &Perturbation, rng: &mut ChaCha20Rng) -> [f32; PIXELS] {
    let angle = between(by.max_rotation_degrees, rng) * PI / 180.0;
    let (shift_x, shift_y) = (between(by.max_shift_px, rng), between(by.max_shift_px, rng));
    let placed = PlacedScan { pixels, sin: libm::sin(angle), cos: libm::cos(angle), shift_x, shift_y };
    // Anew for each scan: a spare number left over would tie it to the scan before.
    let mut noise = Gaussian::default();
    std::array::from_fn(|index| {
        let ink = placed.ink_at(index % SIDE, index / SIDE) + by.noise_sigma * noise.next(rng);
        ink.clamp(0.0, 1.0) as f32
    })
}

/// A scan turned about its centre and then shifted, both in pixels of the result.
struct PlacedScan<'a> {
    pixels: &'a [u8; PIXELS],
    sin: f64,
    cos: f64,
    shift_x: f64,
    shift_y: f64,
}

impl PlacedScan<'_> {
    fn ink_at(&self, column: usize, row: usize) -> f64 {
        let centre = (SIDE as f64 - 1.0) / 2.0;
        let x = column as f64 - centre - self.shift_x;
        let y = row as f64 - centre - self.shift_y;
        bilinear(self.pixels, self.cos * x + self.sin * y + centre, self.cos * y - self.sin * x + centre)
    }
}

fn between(max: f64, rng: &mut ChaCha20Rng) -> f64 {
    (2.0 * unit(rng) - 1.0) * max
}

fn bilinear(pixels: &[u8; PIXELS], x: f64, y: f64) -> f64 {
    let (left, top) = (libm::floor(x), libm::floor(y));
    let (right_part, bottom_part) = (x - left, y - top);
    let (column, row) = (left as i64, top as i64);
    let (next_column, next_row) = (column.saturating_add(1), row.saturating_add(1));
    let upper = ink(pixels, column, row) * (1.0 - right_part) + ink(pixels, next_column, row) * right_part;
    let lower =
        ink(pixels, column, next_row) * (1.0 - right_part) + ink(pixels, next_column, next_row) * right_part;
    upper * (1.0 - bottom_part) + lower * bottom_part
}

fn ink(pixels: &[u8; PIXELS], column: i64, row: i64) -> f64 {
    let inside = |at: i64| usize::try_from(at).ok().filter(|at| *at < SIDE);
    match (inside(column), inside(row)) {
        (Some(column), Some(row)) => f64::from(pixels[row * SIDE + column]) / f64::from(INK),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits;
    use rand_chacha::rand_core::SeedableRng;

    const STILL: Perturbation =
        Perturbation { max_shift_px: 0.0, max_rotation_degrees: 0.0, noise_sigma: 0.0 };

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    #[test]
    fn no_perturbation_leaves_the_scan_as_it_is() {
        for scan in digits::training().take(50) {
            assert_eq!(perturb(scan.pixels, &STILL, &mut rng(1)), digits::clean(scan));
        }
    }

    #[test]
    fn shifts_and_turns_go_where_they_should() {
        let mut pixels = [0; PIXELS];
        pixels[2 * SIDE + 5] = INK;
        let placed = |sin, cos, shift_x, shift_y| PlacedScan { pixels: &pixels, sin, cos, shift_x, shift_y };
        let right = placed(0.0, 1.0, 1.0, 0.0);
        assert_eq!((right.ink_at(6, 2), right.ink_at(5, 2)), (1.0, 0.0));
        let half_down = placed(0.0, 1.0, 0.0, 0.5);
        assert_eq!((half_down.ink_at(5, 2), half_down.ink_at(5, 3), half_down.ink_at(5, 4)), (0.5, 0.5, 0.0));
        let quarter_turn = placed(1.0, 0.0, 0.0, 0.0);
        assert_eq!((quarter_turn.ink_at(5, 5), quarter_turn.ink_at(5, 2)), (1.0, 0.0));
        let off_the_page = placed(0.0, 1.0, 100.0, 0.0);
        assert!((0..PIXELS).all(|index| off_the_page.ink_at(index % SIDE, index / SIDE) == 0.0));
    }

    #[test]
    fn pixels_stay_in_range_under_any_perturbation() {
        let wild = Perturbation { max_shift_px: 9.0, max_rotation_degrees: 180.0, noise_sigma: 3.0 };
        let mut rng = rng(4);
        for scan in digits::training().take(200) {
            assert!(perturb(scan.pixels, &wild, &mut rng).iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        }
    }
}

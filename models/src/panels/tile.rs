//! The innermost loop: a few rows times one panel, the sums in registers.

use pulp::{NullaryFnOnce, Simd, WithSimd};

/// Outputs of one panel.
pub(crate) const PANEL: usize = 32;
/// The weights of one input for all outputs of a panel.
pub(crate) type Lane = [f32; PANEL];

/// Rows of a tile at most.
pub(crate) const HEIGHT_MAX: usize = 12;

/// Rows in tiles of about equal height, each interleaved input by input.
pub(crate) struct Tiles {
    values: Vec<f32>,
    count: usize,
    inputs: usize,
    tiles: usize,
}

impl Tiles {
    pub(crate) fn new(rows: &[f32], inputs: usize) -> Self {
        let count = rows.len() / inputs;
        let tiles = count.div_ceil(height_max());
        let mut all = Self { values: vec![0.0; rows.len()], count, inputs, tiles };
        let (mut from, mut to) = (rows, &mut all.values[..]);
        for tile in 0..tiles {
            let height = height(tile, tiles, count);
            let (tile, later) = from.split_at(height * inputs);
            let (tile_to, later_to) = to.split_at_mut(height * inputs);
            interleave(tile, inputs, tile_to);
            (from, to) = (later, later_to);
        }
        all
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Each tile's height and values.
    #[inline(always)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let mut rest = &self.values[..];
        (0..self.tiles).map(move |tile| {
            let height = height(tile, self.tiles, self.count);
            let (values, later) = rest.split_at(height * self.inputs);
            rest = later;
            (height, values)
        })
    }
}

#[inline(always)]
fn height(tile: usize, tiles: usize, count: usize) -> usize {
    // Rounding down at both ends makes heights differ by one at most.
    (tile + 1) * count / tiles - tile * count / tiles
}

fn interleave(rows: &[f32], inputs: usize, to: &mut [f32]) {
    let height = rows.len() / inputs;
    let mut at = 0;
    // Four at a time: they lie side by side in the tile, and are stored at once.
    for four in rows.chunks_exact(4 * inputs) {
        let (first, later) = four.split_at(2 * inputs);
        let ((a, b), (c, d)) = (first.split_at(inputs), later.split_at(inputs));
        let columns = a.iter().zip(b).zip(c.iter().zip(d));
        for (to, ((a, b), (c, d))) in to[at..].chunks_mut(height).zip(columns) {
            to[..4].copy_from_slice(&[*a, *b, *c, *d]);
        }
        at += 4;
    }
    for row in rows[at * inputs..].chunks_exact(inputs) {
        for (to, value) in to[at..].iter_mut().step_by(height).zip(row) {
            *to = *value;
        }
        at += 1;
    }
}

/// Work that runs on the best instructions that the machine has.
pub(crate) trait TiledPass {
    fn run<T: Tile>(self, tile: T);
}

/// A processor's way to sum up a tile.
pub(crate) trait Tile: Copy {
    /// Rows that its registers hold the sums of.
    const HEIGHT: usize;

    /// `values` is `[inputs, height]`: for each of `height` rows the sum of its values times their lanes.
    fn sum<'a>(self, height: usize, values: &[f32], lanes: impl Lanes<'a>, sums: &mut [Lane; HEIGHT_MAX]);
}

/// Lanes in the order of inputs.
pub(crate) trait Lanes<'a>: Iterator<Item = &'a Lane> {}
impl<'a, I: Iterator<Item = &'a Lane>> Lanes<'a> for I {}

pub(crate) fn dispatch(blocked: impl TiledPass) {
    pulp::Arch::new().dispatch(Dispatched(blocked));
}

fn height_max() -> usize {
    struct Ask;
    impl WithSimd for Ask {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            match S::F32_LANES {
                16 => Registers::<S, 2>::HEIGHT,
                8 => Registers::<S, 4>::HEIGHT,
                4 => Registers::<S, 8>::HEIGHT,
                _ => Registers::<S, 32>::HEIGHT,
            }
        }
    }
    pulp::Arch::new().dispatch(Ask)
}

struct Dispatched<B>(B);

impl<B: TiledPass> WithSimd for Dispatched<B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.0.run(Registers::<S, 2>(simd)),
            8 => self.0.run(Registers::<S, 4>(simd)),
            4 => self.0.run(Registers::<S, 8>(simd)),
            _ => self.0.run(Registers::<S, 32>(simd)),
        }
    }
}

/// A lane in this number of registers.
#[derive(Clone, Copy)]
struct Registers<S, const EACH: usize>(S);

impl<S: Simd, const EACH: usize> Tile for Registers<S, EACH> {
    // Sums, a lane and a value must fit: AVX-512 has 32 registers, NEON as many of a quarter, AVX2 has 16.
    const HEIGHT: usize = match EACH {
        2 => HEIGHT_MAX,
        4 => 2,
        8 => 3,
        _ => 1,
    };

    #[inline(always)]
    fn sum<'a>(self, height: usize, values: &[f32], lanes: impl Lanes<'a>, sums: &mut [Lane; HEIGHT_MAX]) {
        let Self(simd) = self;
        macro_rules! of_height {
            ($($height:literal)*) => {
                match height {
                    $($height if $height <= Self::HEIGHT => {
                        simd.vectorize(Sum::<S, _, EACH, $height> { simd, values, lanes, sums });
                    })*
                    // No tile is higher: `height_max` is this height.
                    _ => {}
                }
            };
        }
        of_height!(1 2 3 4 5 6 7 8 9 10 11 12);
    }
}

struct Sum<'a, S, L, const EACH: usize, const HEIGHT: usize> {
    simd: S,
    values: &'a [f32],
    lanes: L,
    sums: &'a mut [Lane; HEIGHT_MAX],
}

/// One variable for each row: an array of them would live in memory, which the loop then waits for.
macro_rules! of_heights {
    ($($row:ident $at:literal)*;) => {};
    ($($row:ident $at:literal)*; $last:ident $last_at:literal = $height:literal, $($later:tt)*) => {
        impl<'a, S: Simd, L: Lanes<'a>, const EACH: usize> NullaryFnOnce for Sum<'_, S, L, EACH, $height> {
            type Output = ();

            #[inline(always)]
            fn call(self) {
                let simd = self.simd;
                $(let mut $row = [simd.splat_f32s(0.0); EACH];)*
                let mut $last = [simd.splat_f32s(0.0); EACH];
                for (values, lane) in self.values.as_chunks::<$height>().0.iter().zip(self.lanes) {
                    let (lane, _) = S::as_simd_f32s(lane);
                    $(add(simd, &mut $row, values[$at], lane);)*
                    add(simd, &mut $last, values[$last_at], lane);
                }
                $(S::as_mut_simd_f32s(&mut self.sums[$at]).0.copy_from_slice(&$row);)*
                S::as_mut_simd_f32s(&mut self.sums[$last_at]).0.copy_from_slice(&$last);
            }
        }
        of_heights!($($row $at)* $last $last_at; $($later)*);
    };
}

of_heights!(; a 0 = 1, b 1 = 2, c 2 = 3, d 3 = 4, e 4 = 5, f 5 = 6, g 6 = 7, h 7 = 8, i 8 = 9, j 9 = 10, k 10 = 11,
    l 11 = 12,);

#[inline(always)]
fn add<S: Simd, const EACH: usize>(simd: S, sums: &mut [S::f32s; EACH], value: f32, lane: &[S::f32s]) {
    let value = simd.splat_f32s(value);
    for (sum, lane) in sums.iter_mut().zip(lane) {
        *sum = simd.mul_add_e_f32s(value, *lane, *sum);
    }
}

//! The 1,797 handwritten digits of E. Alpaydin and C. Kaynak (UCI, CC BY 4.0; see `data/README.md`).
//!
//! The split is fixed: every fifth scan is held out. Records are in the order they were collected, so the same writers
//! are on both sides: held-out scans are new scans of known hands.

pub use weighhouse_types::scans::{CLASSES, PIXELS};

/// Rows, and columns, of one scan.
pub const SIDE: usize = 8;
/// The value of a pixel that is all ink; 0 is paper.
pub const INK: u8 = 16;
/// All scans.
pub const SCANS: usize = 1_797;
/// Every fifth scan is held out, from the first on.
pub const HELD_OUT_EVERY: usize = 5;
/// Scans that training never sees.
pub const HELD_OUT: usize = SCANS.div_ceil(HELD_OUT_EVERY);

const RECORD: usize = PIXELS + 1;
static BYTES: &[u8; SCANS * RECORD] = include_bytes!("../data/digits.bin");

/// One scan and the digit it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Row by row from the top left, 0 to [`INK`].
    pub pixels: &'static [u8; PIXELS],
    /// 0 to 9.
    pub digit: u8,
}

/// Scan `index`; `None` past the last.
pub fn scan(index: usize) -> Option<Scan> {
    let (records, _) = BYTES.as_chunks::<RECORD>();
    let (pixels, rest) = records.get(index)?.split_first_chunk::<PIXELS>()?;
    Some(Scan { pixels, digit: rest[0] })
}

/// The scans that training may see, in order.
pub fn training() -> impl Iterator<Item = Scan> {
    (0..SCANS).filter(|index| !index.is_multiple_of(HELD_OUT_EVERY)).map_while(scan)
}

/// Held-out scan `index`; `None` from [`HELD_OUT`] on.
pub fn held_out_scan(index: usize) -> Option<Scan> {
    scan(index.checked_mul(HELD_OUT_EVERY)?)
}

/// The scans that training never sees, in order.
pub fn held_out() -> impl Iterator<Item = Scan> {
    (0..HELD_OUT).map_while(held_out_scan)
}

/// Unperturbed pixels as a model reads them, [0, 1].
pub fn clean(scan: Scan) -> [f32; PIXELS] {
    scan.pixels.map(|pixel| f32::from(pixel) / f32::from(INK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_types::Digest;

    #[test]
    fn the_data_is_the_published_data() {
        let digest = Digest::of(BYTES).to_string();
        assert_eq!(digest, "68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2");
        assert!(include_str!("../data/README.md").contains(&digest));
        assert!(
            (0..SCANS)
                .map_while(scan)
                .all(|scan| scan.digit < 10 && scan.pixels.iter().all(|pixel| *pixel <= INK))
        );
        assert_eq!(scan(SCANS), None);
    }

    #[test]
    fn the_split_has_every_scan_once_and_every_digit_on_both_sides() {
        let address = |scan: Scan| scan.pixels.as_ptr() as usize;
        let mut seen: Vec<usize> = training().chain(held_out()).map(address).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((seen.len(), held_out().count(), HELD_OUT), (SCANS, 360, 360));
        assert!((0..10).all(|digit| training().any(|scan| scan.digit == digit)));
        assert!((0..10).all(|digit| held_out().any(|scan| scan.digit == digit)));
    }
}

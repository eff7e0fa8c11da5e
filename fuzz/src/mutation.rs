//! Mutations of an input: small damage, cuts, repeats, and pieces of other inputs.

use rand::{Rng, RngExt as _};

/// The longest input that is made.
pub(crate) const INPUT_BYTES_MAX: usize = 64 << 10;
/// The most mutations of one input.
const MUTATIONS_MAX: u32 = 6;
/// Bytes that lengths, numbers and texts break at.
const TELLING: [&[u8]; 10] = [
    &[0; 8],
    &[0xff; 8],
    &[0x80, 0, 0, 0],
    // The largest i32, little-endian.
    &[0xff, 0xff, 0xff, 0x7f],
    b"-1",
    // Beyond an f64: parsers make infinity of it, or refuse.
    b"1e309",
    b"NaN",
    b"\"\\u0000",
    b"[[",
    // A right-to-left override, and a letter of two bytes.
    "\u{202e}é".as_bytes(),
];

/// Mutates an input; `other` lends pieces.
pub(crate) fn mutate(input: &[u8], other: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.random_range(1..=MUTATIONS_MAX) {
        mutate_once(&mut bytes, other, rng);
    }
    bytes.truncate(INPUT_BYTES_MAX);
    bytes
}

fn mutate_once(bytes: &mut Vec<u8>, other: &[u8], rng: &mut impl Rng) {
    if bytes.is_empty() {
        bytes.extend(&other[..other.len().min(64)]);
        bytes.push(rng.random());
        return;
    }
    let at = rng.random_range(0..bytes.len());
    let end = (at + rng.random_range(1..=32)).min(bytes.len());
    match rng.random_range(0..8_u8) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8_u8),
        1 => bytes[at] = rng.random(),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        5 => {
            let telling = TELLING[rng.random_range(0..TELLING.len())];
            bytes.splice(at..at, telling.iter().copied());
        }
        6 => {
            let telling = TELLING[rng.random_range(0..TELLING.len())];
            let end = (at + telling.len()).min(bytes.len());
            bytes.splice(at..end, telling.iter().copied());
        }
        _ if other.is_empty() => bytes.push(rng.random()),
        _ => {
            let from = rng.random_range(0..other.len());
            let to = (from + rng.random_range(1..=256)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
    }
}

//! Names and sizes of the tensors.

/// The input's name: FP32, shape `[scans, 64]`, values in [0, 1].
pub const INPUT: &str = "pixels";
/// The output's name: FP32, shape `[scans, 10]`, each row a distribution over the digits.
pub const OUTPUT: &str = "probabilities";
/// Pixels of one scan.
pub const PIXELS: usize = 64;
/// Digits that a scan can show.
pub const CLASSES: usize = 10;

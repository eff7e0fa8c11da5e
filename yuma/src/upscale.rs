//! Upscaling of submitted weights before the chain stores them: the largest becomes 65535, the others keep their
//! proportion to it.

use crate::fixed::I32F32;

/// Gives the weights as the chain stores them after `set_weights` or a reveal (the pallet's `vec_u16_max_upscale_to_u16`).
/// Compare what is read back from the chain with this.
pub fn max_upscale(weights: &[u16]) -> Vec<u16> {
    let weights: Vec<I32F32> = weights.iter().copied().map(I32F32::from).collect();
    vec_max_upscale_to_u16(&weights)
}

/// True if no weight's share of the sum exceeds `max_limit` / 65535: the chain's last check of submitted weights.
pub fn check_vec_max_limited(weights: &[u16], max_limit: u16) -> bool {
    let limit = I32F32::u16_ratio(max_limit);
    let mut shares: Vec<I32F32> = weights.iter().copied().map(I32F32::from).collect();
    inplace_normalize(&mut shares);
    shares.iter().all(|&share| share <= limit)
}

/// Divides by the sum; a vector that sums to zero stays as it is.
fn inplace_normalize(values: &mut [I32F32]) {
    let sum: I32F32 = values.iter().copied().sum();
    if sum != I32F32::ZERO {
        values.iter_mut().for_each(|value| *value = value.safe_div(sum));
    }
}

/// Rounds; a vector of zeros stays one. Above 32768 the product with 65535 would not fit, so the factor comes first.
pub(super) fn vec_max_upscale_to_u16(values: &[I32F32]) -> Vec<u16> {
    const PRODUCT_FITS_UP_TO: u16 = 32768;
    let full = I32F32::from(u16::MAX);
    let max = values.iter().copied().max().unwrap_or_default();
    let upscale = |&value: &I32F32| {
        if max == I32F32::ZERO {
            // Only zeros come here, as no value is negative.
            value.saturating_mul(full)
        } else if max > I32F32::from(PRODUCT_FITS_UP_TO) {
            value.saturating_mul(full.safe_div(max)).round()
        } else {
            value.saturating_mul(full).safe_div(max).round()
        }
    };
    values.iter().map(|value| upscale(value).to_u16()).collect()
}

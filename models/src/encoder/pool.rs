//! Of a sequence's rows one embedding.

use super::config::{EncoderShape, Pooling};

/// Sums in the order of tokens, in `f64`.
pub(super) fn pool<'a>(mut rows: impl Iterator<Item = &'a [f32]>, shape: &EncoderShape) -> Vec<f32> {
    let first = rows.next().unwrap_or_default();
    let mut pooled: Vec<f64> = first.iter().map(|value| f64::from(*value)).collect();
    if shape.pooling == Pooling::Mean {
        let mut count = 1.0;
        for row in rows {
            pooled.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            count += 1.0;
        }
        pooled.iter_mut().for_each(|sum| *sum /= count);
    } else {
        // Read to their end, because the next sequence's rows stand behind them.
        rows.for_each(drop);
    }
    if shape.normalise {
        // The least length keeps a vector of zeros from being divided by 0.
        let length = libm::sqrt(pooled.iter().map(|value| value * value).sum()).max(1e-12);
        pooled.iter_mut().for_each(|value| *value /= length);
    }
    pooled.into_iter().map(|value| value as f32).collect()
}

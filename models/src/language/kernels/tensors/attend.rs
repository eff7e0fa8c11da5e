//! Attention over rows of packed sequences.

use burn_tensor::module::attention;
use burn_tensor::ops::AttentionModuleOptions;
use burn_tensor::{Bool, Device, Tensor};

/// Rotated queries, rotated keys, values: `[rows, heads, head_width]` each.
pub(super) type Projections = [Tensor<3>; 3];

/// The keys that a query sees.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one lives for one call")]
pub enum AttentionMask {
    /// Its own and those before it.
    Before,
    All,
    /// All but where this is true, `[sequences, 1, 1, keys]`.
    Except(Tensor<4, Bool>),
}

/// Attention within each of consecutive sequences; runs of equal length go together.
pub fn attend_each(lengths: &[usize], projected: Projections, seen: AttentionMask) -> Tensor<2> {
    let mut start = 0;
    let mut parts = Vec::new();
    for run in lengths.chunk_by(|a, b| a == b) {
        let (count, length) = (run.len(), run[0]);
        let rows = count * length;
        let [queries, keys, values] = projected.each_ref().map(|tensor| {
            let [_, heads, width] = tensor.dims();
            let own = tensor.clone().narrow(0, start, rows);
            own.reshape([count, length, heads, width]).swap_dims(1, 2)
        });
        parts.push(attend(queries, keys, values, seen.clone()));
        start += rows;
    }
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 0) }
}

/// `[sequences, heads, queries, head_width]` over `[sequences, kv_heads, keys, head_width]` to
/// `[sequences * queries, heads * head_width]`.
pub(super) fn attend(
    queries: Tensor<4>,
    keys: Tensor<4>,
    values: Tensor<4>,
    seen: AttentionMask,
) -> Tensor<2> {
    let [sequences, heads, rows, width] = queries.dims();
    let options =
        AttentionModuleOptions { is_causal: matches!(seen, AttentionMask::Before), ..Default::default() };
    // The flex kernel shares heads of keys itself; those of other devices, and of autodiff, may not.
    let device = queries.device();
    let (keys, values) = match device == Device::flex() && !device.is_autodiff() {
        true => (keys, values),
        false => (spread(keys, heads), spread(values, heads)),
    };
    let unseen = match seen {
        AttentionMask::Except(unseen) => Some(unseen),
        AttentionMask::Before | AttentionMask::All => None,
    };
    let attended = attention(queries, keys, values, unseen, None, options);
    attended.swap_dims(1, 2).reshape([sequences * rows, heads * width])
}

/// Each head of keys or values as often as heads of queries share it.
fn spread(tensor: Tensor<4>, heads: usize) -> Tensor<4> {
    let [sequences, kv_heads, rows, width] = tensor.dims();
    if kv_heads == heads {
        return tensor;
    }
    let groups = tensor.unsqueeze_dim::<5>(2).expand([sequences, kv_heads, heads / kv_heads, rows, width]);
    groups.reshape([sequences, heads, rows, width])
}

//! Tokens whose log-probabilities are missing: llama.cpp tells none of a token that ends within a character.

use std::collections::VecDeque;

use super::Row;
use crate::backend::error::BackendError;

/// Prompts of one request for missing log-probabilities.
pub(super) const PROMPTS_MAX: usize = 32;
/// Added to a token's logit, more than any model's logits differ.
pub(super) const FORCING_BIAS: f32 = 1e4;
/// Alternatives besides those that the caller wants: near ties may change places from one batch to the next.
pub(super) const SPARE_ALTERNATIVES: usize = 3;

/// The places of `tokens` that `told`, the others in order, leave out; also those that could be either. `None` where
/// `told` are not tokens of it.
pub(super) fn find(tokens: &[u32], told: &[u32]) -> Option<Vec<usize>> {
    if tokens.len() == told.len() {
        return (tokens == told).then(Vec::new);
    }
    let forward = aligned(tokens.iter(), told.iter())?;
    let mut backward = aligned(tokens.iter().rev(), told.iter().rev())?;
    backward.reverse();
    let from_end = |at: usize| told.len() - 1 - at;
    // Equal neighbours leave a choice; only a place that is the same from both ends is certain.
    let certain = |at: usize| forward[at].is_some() && forward[at] == backward[at].map(from_end);
    Some((0..tokens.len()).filter(|at| !certain(*at)).collect())
}

/// For each token the place in `told` where it stands, if it does.
fn aligned<'a>(
    tokens: impl Iterator<Item = &'a u32>,
    told: impl Iterator<Item = &'a u32>,
) -> Option<Vec<Option<usize>>> {
    let mut told = told.enumerate().peekable();
    let places = tokens.map(|token| told.next_if(|(_, other)| *other == token).map(|(at, _)| at)).collect();
    told.next().is_none().then_some(places)
}

/// The rows of tokens that are not missing, in order.
pub(super) fn kept(tokens: &[u32], rows: Vec<Row>, missing: &[usize]) -> VecDeque<Row> {
    let told: Vec<u32> = rows.iter().filter_map(|row| row.id).collect();
    let places = aligned(tokens.iter(), told.iter()).unwrap_or_default();
    let certain: Vec<usize> =
        (0..places.len()).filter(|at| !missing.contains(at)).filter_map(|at| places[at]).collect();
    rows.into_iter().enumerate().filter(|(at, _)| certain.contains(at)).map(|(_, row)| row).collect()
}

/// The row of a token, from the alternatives of one that was forced in its place.
pub(super) fn place(forced: Row, token: u32) -> Result<Row, BackendError> {
    let own = forced.top.iter().find(|other| other.id == Some(token)).copied();
    let own = own.ok_or_else(|| BackendError::Malformed("a token that is not among the likeliest".into()))?;
    Ok(Row { id: Some(token), log_prob: own.log_prob, ..forced })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_are_left_out_are_found() {
        for (tokens, told, missing) in [
            (vec![1, 2, 3], vec![1, 2, 3], Some(vec![])),
            (vec![1, 2, 3], vec![1, 3], Some(vec![1])),
            (vec![1, 2, 2, 3], vec![1, 2, 3], Some(vec![1, 2])),
            (vec![9, 2, 2, 9, 2, 2], vec![2, 2], Some(vec![0, 1, 2, 3, 4, 5])),
            (vec![1, 2], vec![], Some(vec![0, 1])),
            (vec![1, 2, 3], vec![1, 7], None),
            (vec![1, 2], vec![2, 1], None),
        ] {
            assert_eq!(find(&tokens, &told), missing, "{tokens:?} {told:?}");
        }
    }
}

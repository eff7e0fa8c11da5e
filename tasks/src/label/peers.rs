//! Payments from one worker's labels and another's, without truth: determinant based mutual information (Kong 2020), correlated
//! agreement (Shnayder and others 2016), and Bayesian truth serums (Prelec 2004; Witkowski and Parkes 2012).

use ndarray::Array2;

/// Why two workers' labels give no payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeersError {
    #[error("{one} labels against {other}: both label the same items")]
    Lengths { one: usize, other: usize },
    #[error("{items} items in a part: with {classes} classes each part needs {classes}")]
    Few { items: usize, classes: usize },
    #[error("class {class} of {classes}")]
    Class { class: usize, classes: usize },
    #[error("item {item} of {items}")]
    Item { item: usize, items: usize },
    #[error("a prediction is no distribution over {classes} classes, each above 0")]
    Prediction { classes: usize },
    #[error("{workers} workers: at least {least} are needed")]
    Workers { workers: usize, least: usize },
}

/// det(M1) det(M2), where M counts how often one gave a class while the other gave another, over the items before `split` and the rest.
///
/// # Errors
/// Labels of different items, or too few of them.
pub fn dmi(one: &[usize], other: &[usize], classes: usize, split: usize) -> Result<f64, PeersError> {
    paired(one, other, classes)?;
    let split = split.min(one.len());
    let parts = [split, one.len() - split];
    if let Some(items) = parts.into_iter().find(|items| *items < classes) {
        return Err(PeersError::Few { items, classes });
    }
    let counts = |items: std::ops::Range<usize>| {
        let mut counts = Array2::zeros((classes, classes));
        items.for_each(|item| counts[(one[item], other[item])] += 1.0);
        determinant(counts)
    };
    Ok(counts(0..split) * counts(split..one.len()))
}

/// How much likelier two workers' classes come together than by chance: the joint distribution less the product of its margins.
pub fn delta(joint: &Array2<f64>) -> Array2<f64> {
    let sum = |line: ndarray::ArrayView1<'_, f64>| line.iter().fold(0.0, |sum, share| sum + share);
    let rows: Vec<f64> = joint.rows().into_iter().map(sum).collect();
    let columns: Vec<f64> = joint.columns().into_iter().map(sum).collect();
    Array2::from_shape_fn(joint.dim(), |(row, column)| joint[(row, column)] - rows[row] * columns[column])
}

/// The pairs of classes that correlated agreement pays for: those that come together more often than by chance.
pub fn agreeing(delta: &Array2<f64>) -> Array2<bool> {
    delta.mapv(|more| more > 0.0)
}

/// The expected payment where both are truthful: the sum of what is above chance.
pub fn expected(delta: &Array2<f64>) -> f64 {
    delta.iter().fold(0.0, |sum, more| sum + more.max(0.0))
}

/// Correlated agreement on one item: S(own, other's) there, less S(own on another item, other's on a third).
///
/// # Errors
/// An item that there is not; a class outside of S.
pub fn correlated_agreement(
    (own, other): (&[usize], &[usize]),
    agreeing: &Array2<bool>,
    (item, own_penalty, other_penalty): (usize, usize, usize),
) -> Result<f64, PeersError> {
    paired(own, other, agreeing.nrows())?;
    let items = own.len();
    if let Some(item) = [item, own_penalty, other_penalty].into_iter().find(|item| *item >= items) {
        return Err(PeersError::Item { item, items });
    }
    let agrees = |own: usize, other: usize| f64::from(u8::from(agreeing[(own, other)]));
    Ok(agrees(own[item], other[item]) - agrees(own[own_penalty], other[other_penalty]))
}

/// Scores of the Bayesian truth serum: information of each answer, and `alpha` times the worth of its prediction. They add up to 0 with
/// an `alpha` of 1.
///
/// # Errors
/// Nobody, another number of predictions, or one that is no distribution.
pub fn truth_serum(answers: &[usize], predictions: &[Vec<f64>], alpha: f64) -> Result<Vec<f64>, PeersError> {
    let workers = answers.len();
    let classes = predictions.first().map_or(0, Vec::len);
    if workers == 0 || predictions.len() != workers {
        return Err(PeersError::Lengths { one: workers, other: predictions.len() });
    }
    if predictions.iter().any(|row| row.len() != classes || !row.iter().all(|share| *share > 0.0)) {
        return Err(PeersError::Prediction { classes });
    }
    if let Some(class) = answers.iter().copied().find(|class| *class >= classes) {
        return Err(PeersError::Class { class, classes });
    }
    let mut given = vec![0.0; classes];
    answers.iter().for_each(|class| given[*class] += 1.0 / workers as f64);
    let geometric = |class: usize| {
        let logs = predictions.iter().fold(0.0, |sum, row| sum + libm::log(row[class]));
        libm::exp(logs / workers as f64)
    };
    let predicted: Vec<f64> = (0..classes).map(geometric).collect();
    let score = |(answer, prediction): (&usize, &Vec<f64>)| {
        let mut worth = 0.0;
        for class in 0..classes {
            if given[class] > 0.0 {
                worth += given[class] * libm::log(prediction[class] / given[class]);
            }
        }
        libm::log(given[*answer] / predicted[*answer]) + alpha * worth
    };
    Ok(answers.iter().zip(predictions).map(score).collect())
}

/// Scores of the robust truth serum for yes and no: each worker is scored against the next as its reference and the one after as its peer.
/// Predictions are of how many say yes.
///
/// # Errors
/// Fewer than three workers, another number of predictions, or one outside 0 to 1.
pub fn robust_truth_serum(answers: &[bool], predictions: &[f64]) -> Result<Vec<f64>, PeersError> {
    let workers = answers.len();
    if workers != predictions.len() {
        return Err(PeersError::Lengths { one: workers, other: predictions.len() });
    }
    if workers < 3 {
        return Err(PeersError::Workers { workers, least: 3 });
    }
    if !predictions.iter().all(|share| (0.0..=1.0).contains(share)) {
        return Err(PeersError::Prediction { classes: 2 });
    }
    let quadratic =
        |share: f64, says: bool| if says { 2.0 * share - share * share } else { 1.0 - share * share };
    let score = |at: usize| {
        let (reference, peer) = (predictions[(at + 1) % workers], answers[(at + 2) % workers]);
        let shift = reference.min(1.0 - reference);
        let shadow = if answers[at] { reference + shift } else { reference - shift };
        quadratic(shadow, peer) + quadratic(predictions[at], peer)
    };
    Ok((0..workers).map(score).collect())
}

fn paired(one: &[usize], other: &[usize], classes: usize) -> Result<(), PeersError> {
    if one.len() != other.len() {
        return Err(PeersError::Lengths { one: one.len(), other: other.len() });
    }
    match one.iter().chain(other).copied().find(|class| *class >= classes) {
        Some(class) => Err(PeersError::Class { class, classes }),
        None => Ok(()),
    }
}

/// Of whole numbers without fractions (Bareiss 1968), so that what is 0 comes out as 0.
fn determinant(mut matrix: Array2<f64>) -> f64 {
    let size = matrix.nrows();
    let (mut sign, mut before) = (1.0, 1.0);
    for pivot in 0..size.saturating_sub(1) {
        if matrix[(pivot, pivot)] == 0.0 {
            let Some(row) = (pivot + 1..size).find(|row| matrix[(*row, pivot)] != 0.0) else { return 0.0 };
            for column in 0..size {
                matrix.swap((pivot, column), (row, column));
            }
            sign = -sign;
        }
        for row in pivot + 1..size {
            for column in pivot + 1..size {
                let up = matrix[(row, column)] * matrix[(pivot, pivot)];
                matrix[(row, column)] = (up - matrix[(row, pivot)] * matrix[(pivot, column)]) / before;
            }
        }
        before = matrix[(pivot, pivot)];
    }
    sign * if size == 0 { 1.0 } else { matrix[(size - 1, size - 1)] }
}

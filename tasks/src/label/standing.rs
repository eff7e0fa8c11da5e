//! What each worker's labels of a batch are worth: agreement with peers beyond chance, scaled by what gold proves.

use ndarray::Array2;
use rand_chacha::ChaCha20Rng;

use weighhouse_models::draw::below;

use super::bounds::lower_bound;
use super::dawid_skene::{Iterations, TOLERANCE, dawid_skene};
use super::groups::{once_each, wrong_together};
use super::peers::{agreeing, delta, expected};
use super::votes::Votes;

/// The tail of the bound on a worker's accuracy.
const TAIL: f64 = 0.05;
const ITERATIONS: Iterations = Iterations { max: 100, tolerance: Some(TOLERANCE) };

/// A batch that was judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Items by classes, a group's votes counted once.
    pub posterior: Array2<f64>,
    pub standings: Vec<Standing>,
    /// Workers who were wrong together, beyond what their own errors explain.
    pub groups: Vec<Vec<usize>>,
    /// Agreement beyond chance that two truthful workers of this crowd would reach.
    pub agreement: f64,
}

/// One worker's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standing {
    pub labels: u32,
    /// Signed: correlated agreement with a random peer on each item.
    pub peers: f64,
    pub gold_right: u32,
    pub gold_all: u32,
    /// What gold proves of its accuracy above chance, of 1: the lower end of a 95 % interval.
    pub proven: f64,
    /// Signed: `peers`, scaled by `proven`.
    pub quality: f64,
}

/// Judges a batch by gold that nobody knew when the labels were given; `rng` draws the peers.
pub fn judge(votes: &Votes, gold: &[Option<usize>], rng: &mut ChaCha20Rng) -> Judged {
    let chance = chance(votes.classes(), gold);
    let (mut standings, agreement) = peers(votes, rng);
    for vote in votes.iter() {
        if let Some(Some(class)) = gold.get(vote.item) {
            standings[vote.worker].gold_all += 1;
            standings[vote.worker].gold_right += u32::from(*class == vote.class);
        }
    }
    for standing in &mut standings {
        let Standing { gold_right, gold_all, peers, .. } = *standing;
        standing.proven = ((lower_bound(gold_right, gold_all, TAIL) - chance) / (1.0 - chance)).max(0.0);
        standing.quality = peers * standing.proven;
    }
    let (posterior, groups) = aggregate(votes, gold, &standings);
    Judged { posterior, standings, groups, agreement }
}

/// Class probabilities, and the groups whose votes count once in them. Workers whom gold proves to be above chance are heard; a majority
/// may be in league, so that the others are heard only of items that none of these labelled.
fn aggregate(
    votes: &Votes,
    gold: &[Option<usize>],
    standings: &[Standing],
) -> (Array2<f64>, Vec<Vec<usize>>) {
    let mut has_proven = vec![false; votes.items()];
    votes.iter().for_each(|vote| has_proven[vote.item] |= standings[vote.worker].proven > 0.0);
    let heard = votes.only(|vote| standings[vote.worker].proven > 0.0 || !has_proven[vote.item]);
    let fit = |votes: &Votes| dawid_skene(votes, gold, ITERATIONS).posterior;
    let mut posterior = fit(&heard);
    let mut groups = wrong_together(votes, &posterior);
    // What is wrong shows better once a group has no majority any more.
    for _ in 0..2 {
        if groups.is_empty() {
            break;
        }
        posterior = fit(&once_each(&heard, &groups));
        groups = wrong_together(votes, &posterior);
    }
    (posterior, groups)
}

/// What is right by saying the same to everything: the share of the commonest class, and of one class among all at least.
fn chance(classes: usize, gold: &[Option<usize>]) -> f64 {
    let mut counts = vec![0_u32; classes];
    gold.iter().flatten().for_each(|class| counts[*class] += 1);
    let (most, all) = (counts.iter().max().copied().unwrap_or(0), counts.iter().sum::<u32>());
    let even = 1.0 / classes as f64;
    if all == 0 { even } else { even.max(f64::from(most) / f64::from(all)).min(0.99) }
}

/// Correlated agreement of each worker: on each item with one peer, drawn, less what both would agree on by their habits alone.
fn peers(votes: &Votes, rng: &mut ChaCha20Rng) -> (Vec<Standing>, f64) {
    let classes = votes.classes();
    let mut given: Vec<Vec<(usize, usize)>> = vec![Vec::new(); votes.items()];
    let mut habits = Array2::<f64>::zeros((votes.workers(), classes));
    for vote in votes.iter() {
        given[vote.item].push((vote.worker, vote.class));
        habits[(vote.worker, vote.class)] += 1.0;
    }
    for mut row in habits.rows_mut() {
        let all = row.iter().fold(0.0, |sum, count| sum + count);
        row.mapv_inplace(|count| if all > 0.0 { count / all } else { 0.0 });
    }
    let delta = delta(&joint(&given, classes));
    let pays = agreeing(&delta);
    let mut standings = vec![Standing::default(); votes.workers()];
    for given in given {
        for (at, (worker, class)) in given.iter().enumerate() {
            standings[*worker].labels += 1;
            if given.len() < 2 {
                continue;
            }
            let peer = below(given.len() as u32 - 1, rng) as usize;
            let (peer, said) = given[if peer < at { peer } else { peer + 1 }];
            let mut by_habit = 0.0;
            for ((own, other), pays) in pays.indexed_iter() {
                if *pays {
                    by_habit += habits[(*worker, own)] * habits[(peer, other)];
                }
            }
            standings[*worker].peers += f64::from(u8::from(pays[(*class, said)])) - by_habit;
        }
    }
    for standing in &mut standings {
        standing.peers /= f64::from(standing.labels.max(1));
    }
    (standings, expected(&delta))
}

/// How often each two classes were given to one item by two workers, of all pairs.
fn joint(given: &[Vec<(usize, usize)>], classes: usize) -> Array2<f64> {
    let mut joint = Array2::<f64>::zeros((classes, classes));
    let mut all = 0.0;
    for given in given {
        for (at, (_, class)) in given.iter().enumerate() {
            for (_, other) in &given[at + 1..] {
                joint[(*class, *other)] += 0.5;
                joint[(*other, *class)] += 0.5;
                all += 1.0;
            }
        }
    }
    if all > 0.0 {
        joint.mapv_inplace(|count| count / all);
    }
    joint
}

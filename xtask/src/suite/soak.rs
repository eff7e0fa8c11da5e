//! A validator that is left alone for a month of epochs, as fast as they go: it misses none, and does not grow.

use super::Tally;
use super::faults::{SOAK, figures, run_seeds};

/// Runs so many epochs in one process of the validator; the seed says how its clock is moved.
pub(crate) fn run(epochs: u64, seed: u64) -> anyhow::Result<()> {
    let mut tally = Tally::new("soak");
    let said = run_seeds(&mut tally, SOAK, seed..seed + 1, &[("WEIGHHOUSE_EPOCHS", epochs.to_string())]);
    tally.finish_with(&figures(&said))
}

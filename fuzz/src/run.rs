//! The loop: draw an input, mutate it, hand it to the parser, keep what panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use weighhouse_types::{Digest, Hasher};

use crate::mutation::{INPUT_BYTES_MAX, mutate};
use crate::targets::Target;

/// Panics after which a parser is left.
const FAILURES_MAX: u64 = 8;
/// Longest time for one input; more is a failure.
const INPUT_TIME_MAX: Duration = Duration::from_secs(5);

/// The time for one target, and where its draws begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) time: Duration,
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) runs: u64,
    pub(crate) failures: u64,
}

/// Runs a target over its corpus, then over mutations until the time is up.
pub(crate) fn fuzz(target: &Target, budget: &Budget, failures: &Path) -> anyhow::Result<Outcome> {
    let corpus = corpus(target)?;
    let seed = Hasher::new("weighhouse/fuzz/v1")
        .part(target.name.as_bytes())
        .part(&budget.seed.to_le_bytes())
        .finish();
    let mut rng = ChaCha20Rng::from_seed(*seed.as_bytes());
    let began = Instant::now();
    let mut outcome = Outcome::default();
    let mut next = 0;
    // The whole corpus, even where the time is up: it holds what failed before.
    while (began.elapsed() < budget.time || next < corpus.len()) && outcome.failures < FAILURES_MAX {
        let input = match corpus.get(next) {
            Some(input) => input.clone(),
            None => {
                let (one, other) = (rng.random_range(0..corpus.len()), rng.random_range(0..corpus.len()));
                mutate(&corpus[one], &corpus[other], &mut rng)
            }
        };
        next += 1;
        outcome.runs += 1;
        if !passes(target, &input) {
            outcome.failures += 1;
            keep(failures, target.name, &input)?;
        }
    }
    Ok(outcome)
}

/// Tells whether the parser comes back in time and without a panic.
pub(crate) fn passes(target: &Target, input: &[u8]) -> bool {
    let began = Instant::now();
    catch_unwind(AssertUnwindSafe(|| (target.parse)(input))).is_ok() && began.elapsed() < INPUT_TIME_MAX
}

/// The target's inputs: files elsewhere in the repository, and the files of its corpus folder.
pub(crate) fn corpus(target: &Target) -> anyhow::Result<Vec<Vec<u8>>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = target.seeds.iter().map(|seed| here.join("..").join(seed)).collect();
    let folder = here.join("corpus").join(target.name);
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        files.push(entry?.path());
    }
    files.sort();
    let read = |file: &PathBuf| {
        let mut bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
        bytes.truncate(INPUT_BYTES_MAX);
        Ok(bytes)
    };
    let inputs = files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(!inputs.is_empty(), "the corpus is empty");
    Ok(inputs)
}

fn keep(failures: &Path, target: &str, input: &[u8]) -> anyhow::Result<()> {
    std::fs::create_dir_all(failures)?;
    let file = failures.join(format!("{target}-{}", &Digest::of(input).to_string()[..16]));
    let mut temporary = std::fs::File::create(&file).with_context(|| file.display().to_string())?;
    Ok(std::io::Write::write_all(&mut temporary, input)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::TARGETS;

    #[test]
    fn no_input_of_the_corpus_fails() {
        for target in TARGETS {
            for (at, input) in corpus(target).expect("a corpus").iter().enumerate() {
                assert!(passes(target, input), "{}: input {at}", target.name);
            }
        }
    }

    #[test]
    fn a_parser_that_panics_is_found_and_its_input_kept() {
        fn parse(bytes: &[u8]) {
            assert!(!bytes.windows(2).any(|pair| pair == [0xff, 0xff]), "planted");
        }
        let planted = Target { name: "task", seeds: &["tasks/files/digits-quality.toml"], parse };
        let dir = tempfile::tempdir().expect("a folder");
        let budget = Budget { time: Duration::from_secs(20), seed: 1 };
        let outcome = fuzz(&planted, &budget, dir.path()).expect("it runs");
        assert_eq!(outcome.failures, FAILURES_MAX);
        let kept = std::fs::read_dir(dir.path()).expect("a folder").next().expect("a file").expect("a file");
        let input = std::fs::read(kept.path()).expect("an input");
        assert!(input.windows(2).any(|pair| pair == [0xff, 0xff]));
    }
}

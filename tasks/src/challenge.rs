//! What a miner is asked, drawn by a seed: perturbed scans and the digits they show, a prompt, or texts.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weighhouse_models::digits::{self, PIXELS};
use weighhouse_models::draw::below;
use weighhouse_models::perturb::{Perturbation, perturb};
use weighhouse_models::sampling::Sampling;
use weighhouse_types::{Digest, Hasher};

use crate::file::{Generate, TaskFile, Work};

/// One challenge. Made by [`Task::challenge`](crate::Task::challenge) and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct Challenge {
    digest: Digest,
    question: Question,
}

#[derive(Clone, Debug, PartialEq)]
enum Question {
    Scans { pixels: Vec<f32>, truth: Vec<u8> },
    Prompt { text: String, sampling: Sampling },
    Texts(Vec<String>),
}

impl Challenge {
    /// The same seed and task file give the same bits on every machine.
    pub(crate) fn draw(task: Digest, file: &TaskFile, seed: &[u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed(*seed);
        match &file.work {
            Work::Classify { perturbation } => Self::scans(task, file.items, perturbation, &mut rng),
            Work::Generate(generate) => Self::continuation(task, generate, &mut rng),
            Work::Embed(embed) => {
                let texts: Vec<String> =
                    (0..file.items).map(|_| embed.prompts.draw(embed.words, &mut rng)).collect();
                let parts = texts.iter().fold(
                    Hasher::new("weighhouse/challenge/embed/v1").part(task.as_bytes()),
                    |hasher, text| hasher.part(text.as_bytes()),
                );
                Self { digest: parts.finish(), question: Question::Texts(texts) }
            }
        }
    }

    /// Draws held-out scans with replacement and perturbs each.
    ///
    /// Only held-out scans are drawn, so that nobody's skill comes from the training set that the reference saw.
    fn scans(task: Digest, items: u32, perturbation: &Perturbation, rng: &mut ChaCha20Rng) -> Self {
        let mut pixels = Vec::with_capacity(items as usize * PIXELS);
        let mut truth = Vec::with_capacity(items as usize);
        for _ in 0..items {
            let index = below(digits::HELD_OUT as u32, rng) as usize;
            let scan = digits::held_out_scan(index).expect("the index is below the number of held-out scans");
            pixels.extend(perturb(scan.pixels, perturbation, rng));
            truth.push(scan.digit);
        }
        let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
        let digest =
            Hasher::new("weighhouse/challenge/v1").part(task.as_bytes()).part(&bytes).part(&truth).finish();
        Self { digest, question: Question::Scans { pixels, truth } }
    }

    fn continuation(task: Digest, generate: &Generate, rng: &mut ChaCha20Rng) -> Self {
        let sampling = Sampling { seed: rng.next_u64(), ..generate.sampling };
        let text = generate.prompts.draw(generate.prompt_words, rng);
        let digest = Hasher::new("weighhouse/challenge/generate/v1")
            .part(task.as_bytes())
            .part(&sampling.seed.to_le_bytes())
            .part(text.as_bytes())
            .finish();
        Self { digest, question: Question::Prompt { text, sampling } }
    }

    /// Covers the task file and all of the question; of scans, the truth as well.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many scans, completions or texts.
    pub fn items(&self) -> usize {
        match &self.question {
            Question::Scans { truth, .. } => truth.len(),
            Question::Prompt { .. } => 1,
            Question::Texts(texts) => texts.len(),
        }
    }

    /// `items` rows of 64 values in [0, 1]; none if this isn't about scans.
    pub fn pixels(&self) -> &[f32] {
        match &self.question {
            Question::Scans { pixels, .. } => pixels,
            _ => &[],
        }
    }

    /// The digit of each scan. Never leaves the validator.
    pub fn truth(&self) -> &[u8] {
        match &self.question {
            Question::Scans { truth, .. } => truth,
            _ => &[],
        }
    }

    /// The text to continue, and how its tokens are to be chosen.
    pub fn prompt(&self) -> Option<(&str, Sampling)> {
        match &self.question {
            Question::Prompt { text, sampling } => Some((text, *sampling)),
            _ => None,
        }
    }

    /// The texts to embed; none if this isn't about embedding.
    pub fn texts(&self) -> &[String] {
        match &self.question {
            Question::Texts(texts) => texts,
            _ => &[],
        }
    }
}

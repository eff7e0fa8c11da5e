//! A language model for tests: no weights, but logits that follow from the last two tokens, and an honest miner on it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weighhouse_models::sampling::{Sampling, log_probs};
use weighhouse_types::text::{Finish, TextAnswer};
use weighhouse_types::{Digest, InferAnswer};

use crate::Challenge;
use crate::witness::{Language, Sequence, WitnessError};

pub(crate) const VOCABULARY: usize = 96;
const END: u32 = 7;

/// `blur` is how far its logits are from those of the model without any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fake {
    pub(crate) blur: f32,
    pub(crate) salt: u64,
}

/// The fake by a digest of its own besides.
pub(crate) const OLDER: &[u8] = b"fake, without a file";
/// A token at which some servers end.
pub(crate) const OTHER_END: u32 = 8;

impl Fake {
    pub(crate) const REFERENCE: Self = Self { blur: 0.0, salt: 0 };

    fn row(&self, before: &[u32]) -> Vec<f32> {
        let last = |back: usize| u64::from(before.len().checked_sub(back).map_or(0, |at| before[at]));
        let mut rng = ChaCha8Rng::seed_from_u64(last(1) << 32 | last(2));
        let mut blur = ChaCha8Rng::seed_from_u64(last(1) << 32 | last(2) << 8 | self.salt | 1 << 60);
        let unit = |rng: &mut ChaCha8Rng| (rng.next_u32() as f32 / u32::MAX as f32) * 2.0 - 1.0;
        (0..VOCABULARY).map(|_| unit(&mut rng) * 4.0 + self.blur * unit(&mut blur)).collect()
    }

    /// Answer of a miner on this model.
    pub(crate) fn complete(
        &self,
        prompt: &str,
        sampling: &Sampling,
        max_tokens: u32,
        ignore_end: bool,
    ) -> TextAnswer {
        let mut tokens = self.encode(prompt).expect("text");
        let from = tokens.len();
        let mut answer =
            TextAnswer { prompt_tokens: from as u32, finish: Some(Finish::Length), ..Default::default() };
        for position in 0..max_tokens {
            let row = self.row(&tokens);
            let token = sampling.choose(position, &row);
            tokens.push(token);
            answer.log_probs.push(log_probs(&row, token, 0).chosen);
            if token == END && !ignore_end {
                answer.finish = Some(Finish::End);
                break;
            }
        }
        answer.tokens = tokens[from..].to_vec();
        let spoken = answer.tokens.len() - usize::from(answer.finish == Some(Finish::End));
        answer.text = self.continuation(&[], &answer.tokens[..spoken]);
        answer
    }

    pub(crate) fn answer(&self, challenge: &Challenge, max_tokens: u32, ignore_end: bool) -> TextAnswer {
        let (prompt, sampling) = challenge.prompt().expect("a prompt");
        self.complete(prompt, &sampling, max_tokens, ignore_end)
    }
}

pub(crate) fn sent(answer: &TextAnswer) -> InferAnswer {
    answer.to_infer("fake", "1", "id").expect("an answer")
}

impl Language for Fake {
    fn digest(&self) -> Digest {
        Digest::of(b"fake")
    }

    fn under(&self, digest: Digest) -> Option<Self> {
        [Language::digest(self), Digest::of(OLDER)].contains(&digest).then_some(*self)
    }

    fn vocabulary(&self) -> usize {
        VOCABULARY
    }

    fn context(&self) -> usize {
        512
    }

    fn pack_tokens(&self) -> usize {
        2_048
    }

    fn end_tokens(&self) -> &[u32] {
        &[END]
    }

    fn other_end_tokens(&self) -> &[u32] {
        &[OTHER_END]
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, WitnessError> {
        Ok(text.bytes().map(|byte| u32::from(byte) % VOCABULARY as u32).collect())
    }

    fn continuation(&self, _: &[u32], tokens: &[u32]) -> String {
        tokens.iter().map(|id| char::from_u32(33 + id).unwrap_or('?')).collect()
    }

    fn forced(&self, sequences: &[Sequence<'_>]) -> Result<Vec<Vec<f32>>, WitnessError> {
        let rows = |sequence: &Sequence<'_>| {
            (sequence.from..sequence.tokens.len()).flat_map(|at| self.row(&sequence.tokens[..at])).collect()
        };
        Ok(sequences.iter().map(rows).collect())
    }
}

/// A task of completions by the fake.
pub(crate) fn file(sampler: &str, temperature: f32, ignore_end: bool, budget: &str) -> String {
    format!(
        "version = 1\nkind = \"generate\"\nmode = \"conformance\"\nscope = \"private\"\nmodel = \"fake\"\nitems = 1\n\
         reference = \"{}\"\n[generate]\nprompts = \"rust/v1\"\nprompt_words = 6\nmax_tokens = 32\n\
         sampler = \"{sampler}\"\ntemperature = {temperature:?}\nignore_end = {ignore_end}\n\
         [margins]\nclip = 1.0\ntoken_max = 3.0\nlog_prob_max = 0.01\n[conformance]\ntolerance = 0.001\n{budget}",
        Digest::of(b"fake")
    )
}

/// Margins of an honest miner are 0 but once in a thousand; of a blurred one, one in twenty is not.
pub(crate) const BUDGET: &str = "[budget]\nfalse_alarm = 0.0001\nmiss = 0.01\ndrawn = 0.1\nsettled_after = 8\n\
     edges = [0.000001, 0.1]\nhonest = [0.999, 0.0009, 0.0001]\ncheat = [0.95, 0.03, 0.02]\n";

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt as _;
use weighhouse_models::LoadLimits;
use weighhouse_models::language::{DecoderEvent, ForwardError, SequenceId, SubmitRefusal};
use weighhouse_types::text::Finish;

use super::*;

const PROMPT: &str = "the model";
const LIMITS: DecoderLimits = DecoderLimits { sequences_max: 4, cache_tokens_max: 4_096 };

/// A random model of the Llama family, small enough for a test.
fn model() -> LanguageModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/llama");
    LanguageModel::load(&folder, &LoadLimits::STANDARD).expect("a golden model")
}

fn start(limits: DecoderLimits, queue_max: usize) -> Decoder {
    Decoder::start(model(), limits, queue_max, &CpuPool::new(1, 64)).expect("a thread")
}

fn greedy(max_tokens: u32) -> TextRequest {
    TextRequest { ignore_end: true, ..TextRequest::greedy(PROMPT, max_tokens) }
}

async fn whole(decoder: &Decoder, request: TextRequest) -> Result<TextAnswer, EngineError> {
    let mut pieces = decoder.generate(request);
    let mut whole = TextAnswer::default();
    while let Some(piece) = pieces.next().await {
        assert_eq!(whole.finish, None, "nothing follows the end");
        whole.append(piece?);
    }
    Ok(whole)
}

#[tokio::test]
async fn a_generation_gives_its_tokens_one_by_one_and_its_text() {
    let decoder = start(LIMITS, 4);
    let pieces: Vec<_> = decoder.generate(greedy(5)).collect().await;
    assert_eq!(pieces.len(), 5);
    assert!(pieces.iter().all(|piece| piece.as_ref().is_ok_and(|piece| piece.tokens.len() == 1)));
    let answer = whole(&decoder, greedy(5)).await.expect("answered");
    assert_eq!((answer.tokens.len(), answer.finish), (5, Some(Finish::Length)));
    assert!(answer.log_probs.is_empty() && answer.top.is_empty(), "not asked for");
    let prompt = model().encode(PROMPT).expect("short");
    assert_eq!(answer.text, model().continuation(&prompt, &answer.tokens));
    assert_eq!(answer.prompt_tokens as usize, prompt.len());

    let ids = Prompt::Ids(model().encode(PROMPT).expect("short"));
    let told = TextRequest { prompt: ids, log_probs: true, top_log_probs: 3, ..greedy(5) };
    let told = whole(&decoder, told).await.expect("answered");
    assert_eq!((&told.tokens, &told.text), (&answer.tokens, &answer.text));
    assert_eq!((told.log_probs.len(), told.top.len(), told.top[0].len()), (5, 5, 3));
    assert_eq!(told.top[0][0], (told.tokens[0], told.log_probs[0]), "greedy takes the likeliest");
}

#[tokio::test]
async fn generations_that_run_together_are_those_that_run_alone() {
    let decoder = start(LIMITS, 64);
    let sampled = |seed| TextRequest { temperature: 1.0, seed, ..greedy(12) };
    let mut alone = Vec::new();
    for seed in 0..8 {
        alone.push(whole(&decoder, sampled(seed)).await.expect("answered").tokens);
    }
    assert!(alone.iter().any(|tokens| *tokens != alone[0]), "seeds matter");
    let together = futures::future::join_all((0..8).map(|seed| whole(&decoder, sampled(seed)))).await;
    let together: Vec<_> = together.into_iter().map(|answer| answer.expect("answered").tokens).collect();
    assert_eq!(together, alone, "more than run at once: some waited");
}

#[tokio::test]
async fn what_the_model_can_not_continue_is_refused_and_it_goes_on() {
    let decoder = start(LIMITS, 4);
    let context = model().context();
    let vocabulary = u32::try_from(model().vocabulary()).expect("small");
    let cases = [
        (TextRequest { prompt: Prompt::Ids(vec![1; context + 1]), ..greedy(1) }, "context"),
        (TextRequest { prompt: Prompt::Ids(vec![1; context]), ..greedy(1) }, "context"),
        (greedy(1_000_000_000), "context"),
        (TextRequest { prompt: Prompt::Ids(vec![vocabulary]), ..greedy(1) }, "no token"),
        (greedy(0), "no token is wanted"),
    ];
    for (request, word) in cases {
        let error = whole(&decoder, request).await.expect_err(word);
        assert!(matches!(&error, EngineError::Refused(why) if why.contains(word)), "{error}");
    }
    assert!(whole(&decoder, greedy(2)).await.is_ok());
}

#[tokio::test]
async fn callers_that_go_away_make_room() {
    let decoder = start(DecoderLimits { sequences_max: 1, ..LIMITS }, 1);
    for _ in 0..20 {
        let mut pieces = decoder.generate(greedy(64));
        pieces.next().await.expect("a piece").expect("good");
        drop(pieces);
        assert_eq!(whole(&decoder, greedy(2)).await.expect("answered").tokens.len(), 2);
    }
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let decoder = start(DecoderLimits { sequences_max: 1, ..LIMITS }, 1);
    let answers = futures::future::join_all((0..16).map(|_| whole(&decoder, greedy(64)))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(EngineError::Busy))));
    assert!(answers.iter().any(Result::is_ok) && answers.iter().any(Result::is_err));
}

/// A batch whose next passes fail: a prompt's by a panic, those after it by an error.
struct Flaky {
    batch: Batch,
    fails: Arc<AtomicU32>,
    /// Tokens of prompts' passes that wait to be told.
    joined: u32,
}

impl Flaky {
    fn fails(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

impl Steps for Flaky {
    fn is_idle(&self) -> bool {
        self.batch.is_idle()
    }

    fn join(&mut self, prompt: &[u32], what: Generation) -> Result<SequenceId, SubmitRefusal> {
        if prompt.len() > 20 {
            assert!(!self.fails(), "a pass that panics, as this test wants it");
        }
        self.joined += 1;
        self.batch.join(prompt, what)
    }

    fn leave(&mut self, sequence: SequenceId) {
        self.batch.leave(sequence);
    }

    fn step(&mut self) -> Result<Vec<DecoderEvent>, ForwardError> {
        match std::mem::take(&mut self.joined) {
            0 if self.fails() => Err(ForwardError::Backend),
            _ => self.batch.step(),
        }
    }
}

#[tokio::test]
async fn a_pass_that_fails_ends_what_ran_and_the_model_goes_on() {
    let fails = Arc::new(AtomicU32::new(FAILURES_MAX));
    let (weights, left) = (model(), fails.clone());
    let begin = move || Flaky { batch: Batch::new(weights.clone(), LIMITS), fails: left.clone(), joined: 0 };
    let decoder = Decoder::run(model(), begin, 4, &CpuPool::new(1, 64)).expect("a thread");
    for _ in 1..FAILURES_MAX {
        assert!(matches!(decoder.look().await, Some(Ok(()))), "not yet");
        let failed = whole(&decoder, greedy(3)).await;
        assert!(matches!(failed, Err(EngineError::Backend(BackendError::Failed(_)))), "{failed:?}");
    }
    let long = TextRequest { prompt: Prompt::Ids(vec![1; 30]), ..greedy(3) };
    let broken = whole(&decoder, long).await;
    assert!(matches!(broken, Err(EngineError::Backend(BackendError::Failed(_)))), "{broken:?}");
    while !matches!(decoder.look().await, Some(Err(_))) {
        tokio::task::yield_now().await;
    }
    assert_eq!(whole(&decoder, greedy(3)).await.expect("it began anew").tokens.len(), 3);
    assert!(matches!(decoder.look().await, Some(Ok(()))));
}

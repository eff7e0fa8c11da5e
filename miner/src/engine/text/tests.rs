use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::stream;
use weighhouse_types::text::{Finish, GREEDY, TextError};
use weighhouse_types::{Digest, Tensor};

use super::*;
use crate::backend::{BackendError, Stage};
use crate::testing::TestClock;

const LIMITS: TextLimits = TextLimits { prompt_bytes: 64, prompt_tokens: 8, max_tokens: 8 };
const PACES: Paces =
    Paces { first: Duration::from_secs(30), next: Duration::from_secs(5), whole: Duration::from_secs(60) };

/// What a test's generator does next.
#[derive(Clone)]
enum Step {
    Piece(TextAnswer),
    Fail(BackendError),
    Hang,
}

/// Follows a script, and counts the generations that are alive.
#[derive(Debug)]
struct Scripted {
    steps: Mutex<Vec<Step>>,
    alive: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Step")
    }
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Generator for Scripted {
    fn digest(&self) -> Digest {
        Digest::of(b"scripted")
    }

    fn samplers(&self) -> Vec<&'static str> {
        vec![GREEDY]
    }

    fn generate(&self, _: TextRequest) -> PieceStream {
        self.alive.fetch_add(1, Ordering::SeqCst);
        let state = (self.steps.lock().expect("not poisoned").clone().into_iter(), Alive(self.alive.clone()));
        Box::pin(stream::unfold(state, |(mut steps, alive)| async {
            let item = match steps.next()? {
                Step::Piece(piece) => Ok(piece),
                Step::Fail(error) => Err(error.into()),
                Step::Hang => std::future::pending().await,
            };
            Some((item, (steps, alive)))
        }))
    }
}

struct Bench {
    engine: TextEngine,
    clock: Arc<TestClock>,
    alive: Arc<AtomicUsize>,
}

fn bench(steps: Vec<Step>) -> Bench {
    let (clock, alive) = (TestClock::new(), Arc::new(AtomicUsize::new(0)));
    let generator = Arc::new(Scripted { steps: Mutex::new(steps), alive: alive.clone() });
    let engine = TextEngine::new(ModelName::new("m", "1"), generator, (LIMITS, PACES), clock.clone());
    Bench { engine, clock, alive }
}

fn piece(text: &str, finish: Option<Finish>) -> Step {
    Step::Piece(TextAnswer { text: text.into(), tokens: vec![7], finish, ..Default::default() })
}

fn ask(max_tokens: u32) -> InferRequest {
    TextRequest::greedy("hi", max_tokens).to_infer("m", "9").expect("small")
}

async fn collect(bench: &Bench) -> Vec<Result<InferAnswer, EngineError>> {
    bench.engine.stream(&ask(4)).await.expect("begun").collect().await
}

fn read(answer: &InferAnswer) -> TextAnswer {
    TextAnswer::from_infer(answer, &LIMITS).expect("well-formed")
}

#[tokio::test]
async fn pieces_come_one_by_one_and_whole_answers_are_their_sum() {
    let steps = vec![piece("a", None), piece("b", Some(Finish::Length)), Step::Hang];
    let bench = bench(steps);
    let streamed: Vec<TextAnswer> =
        collect(&bench).await.iter().map(|item| read(item.as_ref().expect("a piece"))).collect();
    assert_eq!(streamed.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let whole = bench.engine.infer(&ask(4)).await.expect("answered");
    assert_eq!((whole.id.as_str(), whole.version.as_str()), ("9", "1"));
    let whole = read(&whole);
    assert_eq!((whole.text.as_str(), whole.tokens, whole.finish), ("ab", vec![7, 7], Some(Finish::Length)));
    assert_eq!(bench.alive.load(Ordering::SeqCst), 0, "nothing runs behind an answer");
}

#[tokio::test]
async fn only_wanted_outputs_are_sent_and_unknown_ones_refused() {
    let bench = bench(vec![piece("a", Some(Finish::End))]);
    let mut request = ask(4);
    request.outputs = vec![name::TEXT_OUTPUT.into()];
    let answer = bench.engine.infer(&request).await.expect("answered");
    assert_eq!(answer.outputs.iter().map(Tensor::name).collect::<Vec<_>>(), [name::TEXT_OUTPUT]);
    request.outputs.push("mood".into());
    let refused = bench.engine.infer(&request).await;
    assert_eq!(refused, Err(EngineError::UnknownOutput { name: "mood".into() }));
}

#[tokio::test]
async fn a_sampler_that_is_not_offered_is_refused_before_anything_runs() {
    let bench = bench(vec![]);
    let mut request = ask(4);
    request.inputs.push(Tensor::from_f32(name::TEMPERATURE, vec![1], &[0.7]).expect("agrees"));
    let refused = bench.engine.stream(&request).await.err();
    assert_eq!(refused, Some(EngineError::Sampler { wanted: "gumbel/v1" }));
    let over = bench.engine.stream(&ask(1_000_000_000)).await.err();
    assert!(matches!(over, Some(EngineError::Text(TextError::Range { .. }))), "{over:?}");
    assert_eq!(bench.alive.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_generation_ends_its_stream_with_one_error() {
    let long = Step::Piece(TextAnswer { text: "x".repeat(4 * 256 + 1), ..Default::default() });
    let tokens = Step::Piece(TextAnswer { tokens: vec![1; 5], ..Default::default() });
    let busy = Step::Fail(BackendError::Busy);
    let cases = [
        (vec![piece("a", None)], "ended its answer midway"),
        (vec![], "ended its answer midway"),
        (vec![piece("a", None), busy, piece("b", None)], "is overloaded"),
        (vec![piece("a", None); 6], "more tokens than were asked for"),
        (vec![Step::Piece(TextAnswer::default()); 99], "more pieces than were asked for"),
        (vec![tokens], "more tokens than were asked for"),
        (vec![long], "more bytes than were asked for"),
    ];
    for (steps, expected) in cases {
        let bench = bench(steps);
        let items = collect(&bench).await;
        let (last, before) = items.split_last().expect("an error at least");
        assert!(before.iter().all(Result::is_ok), "{expected}");
        let error = last.as_ref().expect_err(expected).to_string();
        assert!(error.ends_with(expected), "{error}");
        assert_eq!(bench.alive.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_generation_that_is_too_slow_is_ended_by_the_limit_that_it_hits() {
    let cases = [(vec![Step::Hang], 30, Stage::First), (vec![piece("a", None), Step::Hang], 5, Stage::Next)];
    for (steps, seconds, stage) in cases {
        let pieces = steps.len() - 1;
        let bench = bench(steps);
        let mut stream = bench.engine.stream(&ask(4)).await.expect("begun");
        for _ in 0..pieces {
            stream.next().await.expect("a piece").expect("good");
        }
        let mut waiting = stream.next();
        assert!(futures::poll!(&mut waiting).is_pending());
        bench.clock.advance(Duration::from_secs(seconds - 1));
        assert!(futures::poll!(&mut waiting).is_pending(), "{stage:?}");
        bench.clock.advance(Duration::from_secs(1));
        assert_eq!(waiting.await, Some(Err(BackendError::Slow(stage).into())));
        assert_eq!(bench.alive.load(Ordering::SeqCst), 0);
        assert_eq!(stream.next().await, None);
    }
}

#[tokio::test]
async fn steady_drips_do_not_outlive_the_limit_over_the_whole() {
    let bench = bench(vec![piece("a", None), piece("b", None), Step::Hang]);
    let mut stream = bench.engine.stream(&ask(4)).await.expect("begun");
    stream.next().await.expect("a piece").expect("good");
    bench.clock.advance(Duration::from_secs(58));
    stream.next().await.expect("a piece").expect("good");
    let mut waiting = stream.next();
    assert!(futures::poll!(&mut waiting).is_pending());
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(waiting.await, Some(Err(BackendError::Slow(Stage::Whole).into())));
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_generation() {
    let bench = bench(vec![piece("a", None), Step::Hang]);
    let mut stream = bench.engine.stream(&ask(4)).await.expect("begun");
    stream.next().await.expect("a piece").expect("good");
    assert_eq!(bench.alive.load(Ordering::SeqCst), 1);
    drop(stream);
    assert_eq!(bench.alive.load(Ordering::SeqCst), 0);
}

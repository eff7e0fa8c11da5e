use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

use weighhouse_models::{Builtin, ModelError};
use weighhouse_types::scans::ScansError;

use super::passes::{FORWARD_ROWS, QueuedRow};
use super::*;

const LIMITS: EngineLimits = EngineLimits { items_max: 8, queue_max: 2, batch_items_max: 16 };

fn request(pixels: &[f32]) -> InferRequest {
    ScansRequest { pixels: pixels.to_vec() }.to_infer("digits", "7")
}

fn reference() -> ClassifierEngine {
    let model = Classifier::load(Builtin::Reference.bytes()).expect("built in");
    ClassifierEngine::new(ModelName::new("digits", "1"), model, LIMITS, &CpuPool::new(1, 8))
}

/// Gives the first pixel back as the first probability. Waits for a word before each pass, where asked to.
#[derive(Debug)]
struct Echo {
    passes: AtomicUsize,
    gate: Option<Mutex<mpsc::Receiver<()>>>,
}

impl Forward for Echo {
    fn digest(&self) -> Digest {
        Digest::of(b"echo")
    }

    fn forward(&self, pixels: &[f32]) -> Result<Vec<QueuedRow>, ModelError> {
        self.passes.fetch_add(1, Ordering::Relaxed);
        if let Some(gate) = &self.gate {
            gate.lock().expect("not poisoned").recv().expect("a word");
        }
        assert_eq!(pixels.len(), FORWARD_ROWS * PIXELS, "one size of pass");
        let row = |scan: &[f32]| {
            let mut row = [0.0; CLASSES];
            row[0] = scan[0];
            row
        };
        Ok(pixels.chunks(PIXELS).map(row).collect())
    }
}

fn echo(gate: Option<mpsc::Receiver<()>>) -> (Arc<ClassifierEngine>, Arc<Echo>) {
    let echo = Arc::new(Echo { passes: AtomicUsize::new(0), gate: gate.map(Mutex::new) });
    let engine =
        ClassifierEngine::over(ModelName::new("digits", "1"), echo.clone(), LIMITS, &CpuPool::new(1, 8));
    (Arc::new(engine), echo)
}

fn filled(value: f32) -> Vec<f32> {
    vec![value; PIXELS]
}

#[tokio::test]
async fn a_request_gets_one_distribution_per_scan() {
    let answer = reference().infer(&request(&[0.5; 3 * PIXELS])).await.expect("served");
    let output = answer.output(OUTPUT).expect("there");
    assert_eq!((answer.model.as_str(), answer.version.as_str(), answer.id.as_str()), ("digits", "1", "7"));
    assert_eq!(output.shape(), [3, 10]);
    for row in output.to_f32().expect("FP32").chunks(CLASSES) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    }
}

#[tokio::test]
async fn a_row_that_overflows_harms_no_other_row() {
    let engine = reference();
    let alone = engine.infer(&request(&filled(0.25))).await.expect("served");
    let beside = engine.infer(&request(&[filled(0.25), filled(f32::MAX)].concat())).await.expect("served");
    let row = |answer: &InferAnswer| answer.output(OUTPUT).expect("there").data()[..4 * CLASSES].to_vec();
    assert_eq!(row(&alone), row(&beside));
}

#[tokio::test]
async fn requests_the_model_can_not_take_are_typed_errors() {
    let engine = reference();
    let many = EngineError::Scans(ScansError::Count { scans: 9, scans_max: 8 });
    assert_eq!(engine.infer(&request(&[0.0; 9 * PIXELS])).await, Err(many));
}

/// Lets spawned requests run until they wait.
async fn settle(until: impl Fn() -> bool) {
    while !until() {
        tokio::task::yield_now().await;
    }
}

fn first(answer: &InferAnswer) -> f32 {
    answer.output(OUTPUT).expect("there").to_f32().expect("FP32")[0]
}

#[tokio::test]
async fn requests_that_wait_run_together_and_a_full_queue_refuses() {
    let (word, gate) = mpsc::channel();
    let (engine, echo) = echo(Some(gate));
    let ask = |value: f32| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.infer(&request(&filled(value))).await })
    };
    let waiting = |count: usize| {
        let engine = engine.clone();
        move || engine.batcher.waiting() == count
    };
    let running = ask(1.0);
    settle(|| echo.passes.load(Ordering::Relaxed) == 1).await;
    let (second, third) = (ask(2.0), ask(3.0));
    settle(waiting(2)).await;
    assert_eq!(engine.infer(&request(&filled(4.0))).await, Err(EngineError::Busy));
    word.send(()).expect("listening");
    word.send(()).expect("listening");
    let answers =
        [running.await, second.await, third.await].map(|joined| joined.expect("joined").expect("served"));
    assert_eq!(answers.each_ref().map(first), [1.0, 2.0, 3.0]);
    assert_eq!(echo.passes.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_caller_that_gives_up_takes_nobody_down_with_it() {
    let (word, gate) = mpsc::channel();
    let (engine, echo) = echo(Some(gate));
    let ask = |value: f32| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.infer(&request(&filled(value))).await })
    };
    let leader = ask(1.0);
    settle(|| echo.passes.load(Ordering::Relaxed) == 1).await;
    let follower = ask(2.0);
    settle(|| engine.batcher.waiting() > 0).await;
    leader.abort();
    assert!(leader.await.expect_err("aborted").is_cancelled());
    word.send(()).expect("listening");
    word.send(()).expect("listening");
    assert_eq!(first(&follower.await.expect("joined").expect("served")), 2.0);
}

#[tokio::test]
async fn any_number_of_callers_that_give_up_before_their_pass_begins_take_nobody_down() {
    let (pool, limits) = (CpuPool::new(1, 8), EngineLimits { queue_max: 8, ..LIMITS });
    let (begun, has_begun) = mpsc::channel();
    let (word, gate) = mpsc::channel::<()>();
    let busy = tokio::spawn({
        let pool = pool.clone();
        async move {
            let held = move || {
                begun.send(()).expect("the test waits");
                let _ = gate.recv();
            };
            pool.run(held).await
        }
    });
    while has_begun.try_recv().is_err() {
        tokio::task::yield_now().await;
    }
    let echo = Arc::new(Echo { passes: AtomicUsize::new(0), gate: None });
    let engine = ClassifierEngine::over(ModelName::new("digits", "1"), echo, limits, &pool);
    let asked = |value: f32| request(&filled(value));
    let [first_asked, last_asked] = [asked(1.0), asked(2.0)];
    let mut leaders: Vec<_> = (0..5).map(|_| Box::pin(engine.infer(&first_asked))).collect();
    let mut follower = Box::pin(engine.infer(&last_asked));
    for leader in &mut leaders {
        assert!(futures::poll!(leader.as_mut()).is_pending());
    }
    assert!(futures::poll!(follower.as_mut()).is_pending());
    // Each takes the follower's request along and gives up.
    for mut leader in leaders {
        assert!(futures::poll!(leader.as_mut()).is_pending());
        assert!(futures::poll!(follower.as_mut()).is_pending());
        drop(leader);
    }
    drop(word);
    assert_eq!(first(&follower.await.expect("served")), 2.0);
    busy.await.expect("joined").expect("no panic");
}

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;
use weighhouse_types::{Digest, InferAnswer, InferRequest};

use super::*;
use crate::engine::{ModelName, ServedModel};
use crate::testing::TestClock;

const SILENCE: Duration = Duration::from_secs(5);

/// How a server takes a look.
#[derive(Clone, Debug)]
enum Look {
    Answers,
    Hangs,
    Away,
}

/// A model whose server answers looks as told, and questions never.
#[derive(Debug)]
struct Behind {
    served: ServedModel,
    look: Mutex<Look>,
    prepared: AtomicUsize,
}

#[async_trait::async_trait]
impl Engine for Behind {
    fn model(&self) -> &ServedModel {
        &self.served
    }

    fn items_max(&self) -> u32 {
        1
    }

    async fn prepare(&self) -> Result<(), EngineError> {
        self.prepared.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn look(&self) -> Option<Result<(), EngineError>> {
        let look = self.look.lock().expect("not poisoned").clone();
        match look {
            Look::Answers => Some(Ok(())),
            Look::Hangs => std::future::pending().await,
            Look::Away => Some(Err(BackendError::Unreachable("refused".into()).into())),
        }
    }

    async fn infer(&self, _: &InferRequest) -> Result<InferAnswer, EngineError> {
        std::future::pending().await
    }
}

/// A watched server.
struct Watched {
    engine: Arc<Behind>,
    upstream: Arc<Upstream>,
    clock: Arc<TestClock>,
    _watching: JoinSet<()>,
}

fn watched() -> Watched {
    let served = ServedModel {
        name: ModelName::new("m", "1"),
        digest: Digest::of(b"m"),
        kind: None,
        inputs: vec![],
        outputs: vec![],
        samplers: vec![],
    };
    let (look, prepared) = (Mutex::new(Look::Answers), AtomicUsize::new(0));
    let engine = Arc::new(Behind { served, look, prepared });
    let models = Catalogue::of(engine.clone());
    let test_clock = TestClock::new();
    let clock: Arc<dyn Clock> = test_clock.clone();
    let upstreams = Upstreams::of(&models, &clock);
    let upstream = upstreams.behind(&*engine).expect("one for each model").clone();
    let mut watching = JoinSet::new();
    watching.spawn(watch(models, upstreams, SILENCE));
    Watched { engine, upstream, clock: test_clock, _watching: watching }
}

impl Watched {
    fn say(&self, look: Look) {
        *self.engine.look.lock().expect("not poisoned") = look;
    }

    async fn step(&self) {
        self.clock.advance(Duration::from_millis(500));
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets time pass until the server answers, or doesn't.
    async fn until(&self, answers: bool) -> usize {
        for step in 0..60 {
            if self.upstream.answers() == answers {
                return step;
            }
            self.step().await;
        }
        panic!("it never did");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_noticed_and_its_callers_are_answered() {
    let watched = watched();
    watched.step().await;
    assert!(watched.upstream.answers());
    let (engine, upstream) = (watched.engine.clone(), watched.upstream.clone());
    let asking = tokio::spawn(async move {
        let request = InferRequest {
            model: "m".into(),
            version: String::new(),
            id: String::new(),
            inputs: vec![],
            outputs: vec![],
        };
        upstream.guard(engine.infer(&request)).await
    });
    watched.say(Look::Hangs);
    let steps = watched.until(false).await;
    assert!(steps <= 16, "{steps} half seconds");
    assert_eq!(asking.await.expect("joined"), Err(BackendError::Silent.into()));
    watched.say(Look::Answers);
    watched.until(true).await;
    watched.step().await;
    assert_eq!(watched.engine.prepared.load(Ordering::SeqCst), 1, "asked again what it can do");
    watched.say(Look::Hangs);
    let steps = watched.until(false).await;
    assert!((17..=26).contains(&steps), "it was busy and has twice the time: {steps} half seconds");
}

#[tokio::test]
async fn a_server_that_only_works_is_slow_and_does_not_hang() {
    let watched = watched();
    watched.say(Look::Hangs);
    for _ in 0..60 {
        watched.step().await;
        watched.upstream.guard(async { Ok(()) }).await.expect("a piece came");
        assert!(watched.upstream.answers());
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_noticed_and_so_is_its_return() {
    let watched = watched();
    watched.step().await;
    watched.say(Look::Away);
    watched.until(false).await;
    watched.say(Look::Answers);
    watched.until(true).await;
}

#[tokio::test]
async fn a_cause_that_a_look_told_is_told_again_where_the_server_answers_looks() {
    let watched = watched();
    let gone = BackendError::Unreachable("gone".into());
    watched.upstream.note(Some(&gone));
    watched.upstream.failed(&gone);
    watched.upstream.note(None);
    assert_eq!(watched.upstream.told.is_due(gone.cause()), Some(0));
}

#[test]
fn a_cause_is_told_once_and_again_only_after_a_while() {
    let clock = TestClock::new();
    let told = Told::new(clock.clone());
    assert_eq!((told.is_due("failed"), told.is_due("failed"), told.is_due("failed")), (Some(0), None, None));
    assert_eq!(told.is_due("malformed"), Some(0));
    clock.advance(Duration::from_secs(600));
    assert_eq!((told.is_due("failed"), told.is_due("failed")), (Some(2), None));
}

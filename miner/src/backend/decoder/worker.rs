//! The thread that owns a model's batch.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use weighhouse_models::language::{
    Decoder as Batch, DecoderEvent, ForwardError, Generation, SequenceId, SubmitRefusal,
};
use weighhouse_types::text::TextAnswer;

use crate::backend::error::BackendError;
use crate::engine::error::EngineError;
use crate::metrics;

/// After this long the model is worth another try.
const FORGIVEN_AFTER: Duration = Duration::from_secs(30);

/// A generation that waits for its turn, or runs.
pub(super) struct DecoderJob {
    pub(super) prompt: Vec<u32>,
    pub(super) what: Generation,
    pub(super) log_probs: bool,
    /// Has room for every piece, so that a slow reader holds up nobody.
    pub(super) pieces: mpsc::Sender<Result<TextAnswer, EngineError>>,
}

/// Sequences that are continued together, as the model has them.
pub(super) trait Steps: Send + 'static {
    fn is_idle(&self) -> bool;
    fn join(&mut self, prompt: &[u32], what: Generation) -> Result<SequenceId, SubmitRefusal>;
    fn leave(&mut self, sequence: SequenceId);
    fn step(&mut self) -> Result<Vec<DecoderEvent>, ForwardError>;
}

impl Steps for Batch {
    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    fn join(&mut self, prompt: &[u32], what: Generation) -> Result<SequenceId, SubmitRefusal> {
        self.join(prompt, what)
    }

    fn leave(&mut self, sequence: SequenceId) {
        self.leave(sequence);
    }

    fn step(&mut self) -> Result<Vec<DecoderEvent>, ForwardError> {
        self.step()
    }
}

/// What the thread has; it ends when nobody can ask any more.
pub(super) struct Worker<B> {
    batch: B,
    begin: Box<dyn Fn() -> B + Send>,
    queue: Receiver<DecoderJob>,
    /// At most the one that found no room in the batch.
    waiting: VecDeque<DecoderJob>,
    running: HashMap<SequenceId, Reader>,
    /// Whose prompt's pass is computed.
    joining: Option<mpsc::Sender<Result<TextAnswer, EngineError>>>,
    failures: Arc<Failures>,
}

/// Failures of passes, as those see them who ask whether the model answers.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// [`u32::MAX`] where the thread has ended.
    in_a_row: AtomicU32,
    last: Mutex<Option<Instant>>,
}

impl Failures {
    fn count(&self) -> u32 {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// How many there were, while they count: a model that nobody asks, because it is said to be away, would stay so.
    pub(super) fn in_a_row(&self) -> u32 {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match self.in_a_row.load(Ordering::Relaxed) {
            u32::MAX => u32::MAX,
            failures if last.is_some_and(|last| last.elapsed() < FORGIVEN_AFTER) => failures,
            _ => 0,
        }
    }
}

/// Says when it is dropped that the model is away for good.
struct Ended(Arc<Failures>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.in_a_row.store(u32::MAX, Ordering::Relaxed);
    }
}

struct Reader {
    log_probs: bool,
    pieces: mpsc::Sender<Result<TextAnswer, EngineError>>,
}

impl<B: Steps> Worker<B> {
    pub(super) fn new(
        begin: impl Fn() -> B + Send + 'static,
        queue: Receiver<DecoderJob>,
        failures: Arc<Failures>,
    ) -> Self {
        let (batch, waiting, running) = (begin(), VecDeque::new(), HashMap::new());
        Self { batch, begin: Box::new(begin), queue, waiting, running, joining: None, failures }
    }

    pub(super) fn run(mut self) {
        // However the thread ends, nobody answers behind it.
        let _ended = Ended(self.failures.clone());
        loop {
            // What a panic leaves behind is dropped with the batch.
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return,
                Ok(Err(error)) => self.restart(&error.to_string()),
                Err(_) => self.restart("a panic"),
            }
        }
    }

    /// One prompt's pass, and one more token for all that run; false at the end of all.
    fn turn(&mut self) -> Result<bool, ForwardError> {
        if !self.admit()? {
            return Ok(false);
        }
        for event in self.batch.step()? {
            // Not with any token: the first one comes of the prompt's pass, and those after it may all fail.
            if event.finish.is_some() {
                self.failures.in_a_row.store(0, Ordering::Relaxed);
            }
            self.tell(event);
        }
        Ok(true)
    }

    /// A pass that failed leaves the cache in an unknown state: no sequence in it can be trusted to go on.
    fn restart(&mut self, error: &str) {
        let failures = self.failures.count();
        tracing::error!(
            error,
            failures,
            running = self.running.len(),
            "the model's pass failed; it begins anew"
        );
        metrics::decoder_restart();
        let running = std::mem::take(&mut self.running).into_values().map(|reader| reader.pieces);
        for pieces in running.chain(self.joining.take()) {
            let failed = EngineError::from(BackendError::Failed(error.to_owned()));
            let _ = pieces.try_send(Err(failed));
        }
        self.batch = (self.begin)();
    }

    /// Lets one generation in, so that those that run wait for one prompt at most; false at the end of all.
    fn admit(&mut self) -> Result<bool, ForwardError> {
        let idle = self.batch.is_idle();
        let job = match self.waiting.pop_front() {
            Some(job) => Ok(job),
            // Blocks only when nothing runs; otherwise those that run would wait for a newcomer.
            None if idle => self.queue.recv().map_err(|_| TryRecvError::Disconnected),
            None => self.queue.try_recv(),
        };
        match job {
            Ok(job) => self.join(job)?,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(!idle),
        }
        Ok(true)
    }

    fn join(&mut self, job: DecoderJob) -> Result<(), ForwardError> {
        // Its caller gave up while it waited; a prompt pass for nobody would hold up all others.
        if job.pieces.is_closed() {
            return Ok(());
        }
        self.joining = Some(job.pieces.clone());
        let joined = self.batch.join(&job.prompt, job.what.clone());
        if let Err(SubmitRefusal::Prompt(error @ ForwardError::Backend)) = joined {
            return Err(error);
        }
        self.joining = None;
        match joined {
            Ok(id) => {
                let DecoderJob { log_probs, pieces, .. } = job;
                self.running.insert(id, Reader { log_probs, pieces });
            }
            // Whoever runs now leaves sooner or later; an idle batch has room for all that fits at all.
            Err(SubmitRefusal::Busy { .. }) if !self.batch.is_idle() => self.waiting.push_back(job),
            Err(refused) => {
                let _ = job.pieces.try_send(Err(EngineError::Refused(refused.to_string())));
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: DecoderEvent) {
        let DecoderEvent { sequence, token, text, log_prob, top, finish } = event;
        let Some(reader) = self.running.get(&sequence) else { return };
        let piece = TextAnswer {
            text,
            tokens: vec![token],
            log_probs: if reader.log_probs { vec![log_prob] } else { Vec::new() },
            top: if top.is_empty() { Vec::new() } else { vec![top] },
            finish: finish.and_then(|finish| finish.name().parse().ok()),
            // Set on the reading side, which counted the prompt.
            prompt_tokens: 0,
        };
        // Never for want of room, which was made for every token: an error means that the reader went away.
        let gone = reader.pieces.try_send(Ok(piece)).is_err();
        // The reader went away midway: its place in the batch is free at once.
        if gone && finish.is_none() {
            self.batch.leave(sequence);
        }
        if gone || finish.is_some() {
            self.running.remove(&sequence);
        }
    }
}

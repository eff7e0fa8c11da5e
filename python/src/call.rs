//! Long calls: other Python threads run meanwhile, and Ctrl-C ends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

/// Interval at which a long call looks for signals.
const POLL: Duration = Duration::from_millis(50);

/// The most threads of one call.
pub(crate) const THREADS_MAX: usize = 256;

/// Asked between steps: whether the caller has gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs `work` on `threads` threads of its own (as many as there are cores if not given) and waits for it.
///
/// The threads belong to this call, so that a process that forks afterwards inherits no pool without threads. At a
/// signal the call returns at once, and the work ends at its next look at [`Stop`].
pub(crate) fn long<T: Send + 'static>(
    py: Python<'_>,
    threads: Option<usize>,
    work: impl FnOnce(&Stop) -> T + Send + 'static,
) -> PyResult<T> {
    if threads.is_some_and(|threads| !(1..=THREADS_MAX).contains(&threads)) {
        return Err(PyValueError::new_err(format!("threads must lie between 1 and {THREADS_MAX}")));
    }
    // 0 is rayon's word for one per core.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build();
    let pool = pool.map_err(|error| PyOSError::new_err(format!("no threads to work on: {error}")))?;
    let stop = Stop::default();
    // Room for the one result: the worker never waits until it is fetched.
    let (sender, mut receiver) = mpsc::sync_channel(1);
    let seen = stop.clone();
    let worker = std::thread::Builder::new().name("weighhouse".to_owned()).spawn(move || {
        // Nobody listens any more after a signal.
        let _ = sender.send(pool.install(|| work(&seen)));
    })?;
    loop {
        // Moved in and out: a receiver isn't `Sync`, so the closure can't borrow it.
        let (kept, outcome) = py.detach(move || {
            let outcome = receiver.recv_timeout(POLL);
            (receiver, outcome)
        });
        receiver = kept;
        match outcome {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) => {
                if let Err(signal) = py.check_signals() {
                    stop.0.store(true, Ordering::Relaxed);
                    return Err(signal);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // A sender that is gone without a result means a panic, which goes on in the caller.
    match worker.join() {
        Err(panic) => std::panic::resume_unwind(panic),
        Ok(()) => Err(PyOSError::new_err("the worker ended without a result")),
    }
}

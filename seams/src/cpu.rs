//! A bounded pool for work that would hold up the reactor: tensors, key derivation, batches of signatures.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// At most `threads` jobs run at once and at most `queue` wait; beyond that the caller is refused at once.
#[derive(Clone, Debug)]
pub struct CpuPool {
    threads: usize,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    #[error("the CPU pool's queue is full")]
    Full,
    #[error("the job panicked")]
    Panicked,
}

impl CpuPool {
    pub fn new(threads: usize, queue: usize) -> Self {
        let threads = threads.max(1);
        Self {
            threads,
            running: Arc::new(Semaphore::new(threads)),
            admitted: Arc::new(Semaphore::new(threads + queue)),
        }
    }

    /// Jobs that run at once.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs the job on a blocking thread. Dropping the future leaves a started job to finish unseen.
    pub async fn run<T, F>(&self, job: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        // Refused at once where the queue is full: waiting here would be a queue without a limit.
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| PoolError::Full)?;
        let running =
            self.running.clone().acquire_owned().await.expect("the pool's semaphore is never closed");
        tokio::task::spawn_blocking(move || {
            // Both places last as long as the job, not as long as the caller's interest in it.
            let _held = (admitted, running);
            job()
        })
        .await
        .map_err(|_| PoolError::Panicked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let pool = CpuPool::new(1, 0);
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(move || wait.recv().is_err()).await }
        });
        while pool.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|| ()).await, Err(PoolError::Full));
        drop(release);
        assert_eq!(first.await.expect("joined"), Ok(true));
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }
}

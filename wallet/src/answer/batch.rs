//! Signing as many answers at once as wait: one signature each where few come, one for many where many do.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use weighhouse_seams::{CpuPool, PoolError};
use weighhouse_types::Digest;

use super::{AnswerSignature, sign_batch};
use crate::keypair::Keypair;
use crate::metrics;

/// Answers under one signature: a proof of six steps.
const BATCH_MAX: usize = 64;
/// Answers that wait; more are refused.
const WAITING_MAX: usize = 4_096;

/// Gives an answer's digest; hashes its bytes, which belongs on the pool.
type Hash = Box<dyn FnOnce() -> Digest + Send>;
type Signed = oneshot::Sender<Result<AnswerSignature, PoolError>>;

/// Signs answers in the order in which they come. While one batch is signed the next one gathers.
#[derive(Debug)]
pub(super) struct BatchSigner {
    keypair: Arc<Keypair>,
    pool: CpuPool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(Hash, Signed)>,
    /// True while a task signs what waits.
    is_signing: bool,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl BatchSigner {
    pub(super) fn new(keypair: Arc<Keypair>, pool: CpuPool) -> Arc<Self> {
        Arc::new(Self { keypair, pool, queue: Mutex::default() })
    }

    /// The signature of the answer with this digest.
    pub(super) async fn sign(
        self: &Arc<Self>,
        hash: impl FnOnce() -> Digest + Send + 'static,
    ) -> Result<AnswerSignature, PoolError> {
        let (sender, signed) = oneshot::channel();
        let begins = {
            let mut queue = self.queue();
            if queue.waiting.len() >= WAITING_MAX {
                return Err(PoolError::Full);
            }
            queue.waiting.push((Box::new(hash), sender));
            !std::mem::replace(&mut queue.is_signing, true)
        };
        if begins {
            tokio::spawn(self.clone().sign_all());
        }
        // Only a task that panicked tells nothing.
        signed.await.unwrap_or(Err(PoolError::Panicked))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs until nothing waits.
    async fn sign_all(self: Arc<Self>) {
        while let Some(batch) = self.next_batch() {
            let keypair = self.keypair.clone();
            metrics::answers_batched(batch.len());
            let (hashes, senders): (Vec<Hash>, Vec<_>) = batch.into_iter().unzip();
            let signing = self.pool.run(move || {
                let digests: Vec<Digest> = hashes.into_iter().map(|hash| hash()).collect();
                sign_batch(&keypair, &digests)
            });
            let signatures: Vec<_> = match signing.await {
                Ok(signatures) => signatures.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error); senders.len()],
            };
            for (sender, signature) in senders.into_iter().zip(signatures) {
                // Its caller may have gone away meanwhile.
                let _ = sender.send(signature);
            }
        }
    }

    fn next_batch(&self) -> Option<Vec<(Hash, Signed)>> {
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            // Under the lock: whoever comes next begins anew.
            queue.is_signing = false;
            return None;
        }
        let count = queue.waiting.len().min(BATCH_MAX);
        Some(queue.waiting.drain(..count).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_alone_has_a_signature_of_its_own_and_many_share_one() {
        let keypair = Arc::new(Keypair::from_uri("//Alice").expect("a key"));
        let signer = BatchSigner::new(keypair.clone(), CpuPool::new(1, 8));
        let digest = |byte: u8| Digest([byte; 32]);
        let lone = signer.sign(move || digest(1)).await.expect("signed");
        assert!(matches!(lone, AnswerSignature::Single(_)));
        lone.verify(&keypair.hotkey(), &digest(1)).expect("its own");

        // The first is signed while the others come.
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let signer = signer.clone();
            async move {
                let held = move || {
                    let _ = wait.recv();
                    digest(0)
                };
                signer.sign(held).await
            }
        });
        while !signer.queue().is_signing {
            tokio::task::yield_now().await;
        }
        let others = (1..=BATCH_MAX as u8 + 1).map(|byte| {
            let signer = signer.clone();
            tokio::spawn(async move { signer.sign(move || digest(byte)).await })
        });
        let others: Vec<_> = others.collect();
        while signer.queue().waiting.len() < others.len() {
            tokio::task::yield_now().await;
        }
        drop(release);
        first.await.expect("joined").expect("signed").verify(&keypair.hotkey(), &digest(0)).expect("its own");
        let mut alone = 0;
        for (byte, other) in (1..).zip(others) {
            let signature = other.await.expect("joined").expect("signed");
            signature.verify(&keypair.hotkey(), &digest(byte)).expect("its own");
            assert!(signature.verify(&keypair.hotkey(), &digest(byte + 1)).is_err());
            alone += usize::from(matches!(signature, AnswerSignature::Single(_)));
        }
        assert_eq!(alone, 1, "the one that a batch had no room for");
    }

    #[tokio::test]
    async fn a_hash_that_panics_refuses_its_batch_and_the_next_one_is_signed() {
        let keypair = Arc::new(Keypair::from_uri("//Alice").expect("a key"));
        let signer = BatchSigner::new(keypair, CpuPool::new(1, 8));
        assert!(signer.sign(|| panic!("as this test wants it")).await.is_err());
        assert!(signer.sign(|| Digest([1; 32])).await.is_ok());
    }
}

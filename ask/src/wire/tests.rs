use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use weighhouse_seams::{SystemClock, UnixNanos};

use super::*;

/// Whatever it is to wait for is over at once.
#[derive(Debug)]
struct Hasty;

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> UnixNanos {
        UnixNanos(0)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _: Duration) {}
}

fn connection(answer_bytes_max: usize) -> (BoxIo, Call, DuplexStream) {
    on(Arc::new(SystemClock::new()), answer_bytes_max)
}

fn on(clock: Arc<dyn Clock>, answer_bytes_max: usize) -> (BoxIo, Call, DuplexStream) {
    let (near, far) = duplex(1 << 10);
    let (io, call) = bounded(Box::new(near), answer_bytes_max, &clock);
    (io, call, far)
}

#[tokio::test]
async fn a_peer_that_sends_without_end_is_cut() {
    let (mut io, _call, mut far) = connection(1 << 20);
    let sending = async move { while far.write_all(&[0; 1 << 10]).await.is_ok() {} };
    let (mut read, mut buffer) = (0, vec![0; 1 << 12]);
    let reading = async {
        loop {
            match io.read(&mut buffer).await {
                Ok(count) => read += count,
                Err(error) => break error,
            }
        }
    };
    let error = tokio::select! {
        error = reading => error,
        () = sending => panic!("it was cut before we noticed"),
    };
    assert_eq!(error.to_string(), "the peer sent more than an answer has");
    assert!(read > 1 << 20 && read < 4 << 20, "{read}");
    assert!(io.write(&[0]).await.is_err(), "nothing more goes over it");
}

#[tokio::test]
async fn a_connection_ends_soon_after_its_call_although_the_peer_takes_nothing() {
    let (mut io, call, _far) = on(Arc::new(Hasty), 1 << 10);
    // As much as lies between the two.
    io.write_all(&[0; 1 << 10]).await.expect("room");
    let stuck = tokio::spawn(async move { io.write_all(&[0]).await });
    tokio::task::yield_now().await;
    assert!(!stuck.is_finished());
    drop(call);
    assert!(stuck.await.expect("no panic").is_err());
}

#[tokio::test]
async fn a_call_that_is_over_has_time_for_its_farewell() {
    let (mut io, call, mut far) = connection(1 << 10);
    drop(call);
    io.write_all(b"goodbye").await.expect("within its time");
    let mut heard = [0; 7];
    far.read_exact(&mut heard).await.expect("heard");
    assert_eq!(&heard, b"goodbye");
}

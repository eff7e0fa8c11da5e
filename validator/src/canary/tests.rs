use weighhouse_seams::{Clock, Entropy, SystemClock, TcpBound, TcpDialer};
use weighhouse_wallet::btauth::Signer;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing::validator;

const LIMITS: AskLimits = AskLimits { deadline: Duration::from_secs(20), answer_bytes_max: 1 << 16 };

async fn canary() -> (Canary, Asker, JoinSet<()>, CancellationToken) {
    let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let (canary, server) = Canary::new(Box::new(listener), &mut Entropy::seeded([3; 32])).expect("a key");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let signer = Arc::new(Signer::new(Arc::new(validator()), clock.clone()));
    let asker = Asker { signer, dialer: Arc::new(TcpDialer), clock: clock.clone() };
    let (mut serving, stop) = (JoinSet::new(), CancellationToken::new());
    serving.spawn(server.run(clock, stop.clone()));
    (canary, asker, serving, stop)
}

async fn fault(canary: &Canary, asker: &Asker, round: &str) -> Option<String> {
    let heard = match canary.ready(asker, round, LIMITS).await {
        Ok(ready) => ready.ask(LIMITS).await,
        Err(failure) => failure.into(),
    };
    canary.fault(round, &heard, LIMITS)
}

#[tokio::test]
async fn a_canary_that_answered_and_does_no_more_is_our_trouble() {
    let (canary, asker, mut serving, stop) = canary().await;
    let unproven = Canary { has_answered: Arc::default(), ..canary.clone() };
    for round in ["0", "1", "2"] {
        assert_eq!(fault(&canary, &asker, round).await, None);
    }
    stop.cancel();
    while serving.join_next().await.is_some() {}
    let why = fault(&canary, &asker, "3").await.expect("it is gone");
    assert_eq!(why, "it gave no answer (unreachable)");
    assert_eq!(fault(&unproven, &asker, "3").await, None, "it never worked on this machine");
}

#[tokio::test]
async fn another_rounds_answer_is_none() {
    let (canary, asker, _serving, _stop) = canary().await;
    let ready = canary.ready(&asker, "7", LIMITS).await.expect("connected");
    let heard = ready.ask(LIMITS).await;
    assert_eq!(canary.fault("7", &heard, LIMITS), None);
    assert!(canary.fault("8", &heard, LIMITS).expect("of round 7").contains("signature"));
}

#[test]
fn an_answer_is_late_where_half_of_the_deadline_is_over() {
    let deadline = Duration::from_secs(4);
    assert_eq!(late(Duration::from_secs(2), deadline), None);
    let why = late(Duration::from_millis(2_600), deadline).expect("late");
    assert_eq!(why, "its answer took 2.6 s, more than 2.0 s");
}

mod served;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use weighhouse_seams::{SystemClock, TcpDialer, TlsTrust};
use weighhouse_types::{
    Datatype, Digest, DrawSeed, InferAnswer, JudgeAttempt, JudgeTerms, LaterChallenge, Mark, Outcome, Tensor,
};

use self::served::{Mood, PINNED, Served};
use super::*;

const TASK: Digest = Digest([1; 32]);

fn dialing() -> JudgeDialing {
    let trust = TlsTrust::of_pem(include_bytes!("../../testdata/tls/authority.pem")).expect("an authority");
    JudgeDialing { dialer: Arc::new(TcpDialer), clock: Arc::new(SystemClock::default()), trust: Some(trust) }
}

fn terms() -> JudgeTerms {
    let deadline = Duration::from_secs(20);
    JudgeTerms {
        task: TASK,
        digest: PINNED,
        version: 2,
        testifies: false,
        together: false,
        resolves: false,
        exchanges: 1,
        deadline,
        batch_max: 64,
        message_bytes_max: 1 << 20,
    }
}

fn pool(judges: &[&Served], terms: JudgeTerms) -> JudgePool {
    let addresses: Vec<_> = judges.iter().map(|judge| judge.address.clone()).collect();
    JudgePool::new(&addresses, terms, &dialing())
}

fn seeds(count: u8) -> Vec<DrawSeed> {
    (0..count).map(|first| DrawSeed { seed: [first; 32], answers: vec![] }).collect()
}

fn answer(value: u8) -> InferAnswer {
    let tensor = Tensor::new("y".into(), Datatype::Uint8, vec![1], vec![value]).expect("a tensor");
    InferAnswer { model: "m".into(), version: "1".into(), id: String::new(), outputs: vec![tensor] }
}

async fn attempts(pool: &JudgePool, count: u8) -> Vec<JudgeAttempt> {
    let drawn = pool.draw(1, seeds(count)).await.expect("drawn");
    let each = drawn.into_iter().enumerate();
    each.map(|(at, challenge)| JudgeAttempt {
        challenge,
        answers: vec![answer(at as u8)],
        testimony: vec![at as u8],
    })
    .collect()
}

fn later(attempt: JudgeAttempt) -> LaterChallenge {
    let seed = [attempt.challenge.secret[0]; 32];
    LaterChallenge { challenge: attempt.challenge, seed }
}

#[tokio::test]
async fn a_round_is_drawn_and_judged_in_order() {
    let judge = Served::tcp(Mood::Well).await;
    let pool = pool(&[&judge], terms());
    let described = pool.describe().await.expect("a judge");
    assert_eq!((described.digest, described.version, described.limits.challenges_max), (PINNED, 2, 3));
    let attempts = attempts(&pool, 8).await;
    assert_eq!(
        attempts.iter().map(|it| it.challenge.secret[0]).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5, 6, 7]
    );
    let verdicts = pool.judge(attempts.clone()).await.expect("verdicts");
    for (at, verdict) in verdicts.iter().enumerate() {
        assert_eq!(verdict.mark.billionths(), at as i64);
        assert_eq!(verdict.reasons[0].outcome(), Outcome::Accepted);
    }
    let said = pool.testify(attempts.clone()).await.expect("testimonies");
    assert_eq!(said[5], [5]);
    let truths = pool.resolve(attempts.into_iter().map(later).collect(), 2).await;
    assert_eq!(truths.expect("truths")[..2], [Some(vec![2, 0]), None]);
    assert!(judge.largest.load(Ordering::Relaxed) <= 3, "no call is over the judge's limit");
}

#[tokio::test]
async fn answers_to_one_challenge_are_never_cut() {
    let judge = Served::tcp(Mood::Well).await;
    let pool = pool(&[&judge], JudgeTerms { batch_max: 5, ..terms() });
    let five = attempts(&pool, 5).await;
    let joint = pool.judge_together(five).await.expect("verdicts");
    assert_eq!((joint.verdicts.len(), joint.alike), (5, vec![vec![0, 4]]));
    let six = attempts(&pool, 6).await;
    let refused = pool.judge_together(six).await;
    assert_eq!(refused, Err(JudgeError::TooManyTogether { attempts: 6, limit: 5 }));
}

#[tokio::test]
async fn several_judges_share_the_work() {
    let (first, second) = (Served::tcp(Mood::Well).await, Served::unix(Mood::Well).await);
    let pool = pool(&[&first, &second], terms());
    assert_eq!(attempts(&pool, 12).await.len(), 12);
    let calls = (first.draws.load(Ordering::Relaxed), second.draws.load(Ordering::Relaxed));
    assert_eq!(calls, (2, 2));
}

#[tokio::test]
async fn a_judge_that_fails_in_the_middle_leaves_its_work_to_the_others() {
    for mood in [Mood::Failing, Mood::Counting, Mood::Praising] {
        let (bad, good) = (Served::tcp(mood).await, Served::tcp(Mood::Well).await);
        let attempts = attempts(&pool(&[&good], terms()), 6).await;
        let verdicts = pool(&[&bad, &good], terms()).judge(attempts).await.expect("the other judge's");
        assert_eq!(verdicts[4].mark, Mark::from_billionths(4).expect("a mark"), "{mood:?}");
    }
}

#[tokio::test]
async fn a_judge_with_other_files_is_left_out() {
    let (other, good) = (Served::tcp(Mood::Other).await, Served::tcp(Mood::Well).await);
    let shared = pool(&[&other, &good], terms());
    assert_eq!(attempts(&shared, 4).await.len(), 4);
    assert_eq!(other.draws.load(Ordering::Relaxed), 0);
    let joint = JudgeTerms { together: true, ..terms() };
    let error = pool(&[&good], joint).describe().await.expect_err("other terms").to_string();
    assert!(error.contains("says together = false; the task file's [judge] says true"), "{error}");
    let error = pool(&[&other], terms()).describe().await.expect_err("another judge");
    assert!(matches!(error, JudgeError::OtherJudge { pinned: PINNED, .. }), "{error}");
}

#[tokio::test]
async fn whatever_a_judge_does_wrong_is_an_error_that_names_it() {
    let well = Served::tcp(Mood::Well).await;
    let attempts = attempts(&pool(&[&well], terms()), 2).await;
    for (mood, word) in [
        (Mood::Failing, "failed: ZeroDivisionError"),
        (Mood::Counting, "1 results for 2 questions"),
        (Mood::Praising, "doesn't accept"),
        (Mood::Excessive, "outside [-1, 1]"),
        (Mood::Silent, "is no outcome"),
    ] {
        let judge = Served::tcp(mood).await;
        let error = pool(&[&judge], terms()).judge(attempts.clone()).await.expect_err(word);
        assert!(error.to_string().contains(word) && error.is_passing(), "{error}");
        assert!(error.to_string().contains(&judge.address.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_judge_that_is_away_or_slow_is_given_up_in_time() {
    let away = Served::tcp(Mood::Well).await;
    let gone = away.address.clone();
    away.stop().await;
    let error = JudgePool::new(&[gone], terms(), &dialing()).describe().await.expect_err("away");
    assert!(matches!(error, JudgeError::Unreachable { .. }), "{error}");
    assert_eq!(JudgePool::new(&[], terms(), &dialing()).describe().await, Err(JudgeError::NoAddress));

    let slow = Served::tcp(Mood::Asleep).await;
    let hurried = JudgeTerms { deadline: Duration::from_millis(50), ..terms() };
    let error = pool(&[&slow], hurried).describe().await.expect_err("slow");
    assert!(matches!(error, JudgeError::Slow { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused() {
    let judge = Served::tcp(Mood::Well).await;
    let narrow = JudgeTerms { message_bytes_max: 60, ..terms() };
    let error = pool(&[&judge], narrow).draw(1, seeds(3)).await.expect_err("too long");
    assert!(matches!(error, JudgeError::Failed { .. }), "{error}");
}

#[tokio::test]
async fn heavy_answers_are_cut_into_messages_that_may_be_sent() {
    let judge = Served::tcp(Mood::Well).await;
    let narrow = pool(&[&judge], JudgeTerms { message_bytes_max: 1_000, ..terms() });
    let mut attempts = attempts(&narrow, 3).await;
    for attempt in &mut attempts {
        attempt.testimony = vec![0; 400];
    }
    assert_eq!(narrow.judge(attempts).await.expect("verdicts").len(), 3);
}

#[tokio::test]
async fn another_host_is_spoken_to_over_tls() {
    let judge = Served::tls(Mood::Well).await;
    assert!(judge.address.to_string().starts_with("https://localhost:"));
    assert_eq!(attempts(&pool(&[&judge], terms()), 2).await.len(), 2);
    let stranger = JudgeDialing { trust: TlsTrust::of_platform().ok(), ..dialing() };
    let error = JudgePool::new(std::slice::from_ref(&judge.address), terms(), &stranger).describe().await;
    assert!(matches!(error, Err(JudgeError::Unreachable { .. })), "{error:?}");
}

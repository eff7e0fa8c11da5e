use rand_chacha::rand_core::Rng as _;
use weighhouse_proto::inference::ModelInferResponse;
use weighhouse_types::{JudgeDescription, Judgement, Outcome, Tensor};

use super::*;

/// Wants back what it sends.
struct Echo;

impl Judge for Echo {
    const NAME: &'static str = "echo";

    fn draw(&self, rng: &mut ChaCha20Rng, items: u32) -> Challenge {
        let values: Vec<f32> = (0..items).map(|_| (rng.next_u32() >> 8) as f32).collect();
        let inputs = vec![Tensor::from_f32("x", vec![u64::from(items)], &values).expect("a tensor")];
        Challenge { inputs, outputs: vec!["x".to_owned()], secret: vec![7] }
    }

    fn judge(&self, challenge: &Challenge, answer: &InferAnswer) -> Verdict {
        assert_eq!(challenge.secret, [7], "the secret comes back");
        match answer.output("x") {
            Ok(x) if *x == challenge.inputs[0] => Verdict::accepted(2.0, "the same"),
            Ok(_) => Verdict::wrong(0.5, "another"),
            Err(error) => Verdict::malformed(error.to_string()),
        }
    }
}

fn service() -> Service<Echo> {
    Service::new(Echo, Digest([3; 32]))
}

async fn drawn(seed: u8) -> v1::Challenge {
    let seeds = vec![v1::Seed { seed: vec![seed; 32], answers: vec![] }];
    let request = v1::DrawRequest { task: vec![0; 32], items: 2, seeds };
    let drawn = service().draw(Request::new(request)).await.expect("drawn");
    drawn.into_inner().challenges.pop().expect("a challenge")
}

#[tokio::test]
async fn what_it_says_of_itself_is_believed_by_a_validator() {
    let told = service().describe(Request::new(v1::JudgeServiceDescribeRequest {})).await.expect("described");
    let described = JudgeDescription::try_from(told.into_inner()).expect("believed");
    assert_eq!((described.name.as_str(), described.version, described.digest), ("echo", 1, Digest([3; 32])));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_challenge() {
    assert_eq!(drawn(1).await, drawn(1).await);
    assert_ne!(drawn(1).await, drawn(2).await);
}

#[tokio::test]
async fn answers_are_judged_in_order_and_marks_are_within_their_range() {
    let challenge = drawn(1).await;
    let question = challenge.question.clone().expect("a question");
    let with = |outputs: Vec<Tensor>| {
        let (model, version, id) = (String::new(), String::new(), String::new());
        let answer =
            ModelInferResponse::try_from(InferAnswer { model, version, id, outputs }).expect("a message");
        v1::Attempt { challenge: Some(challenge.clone()), answers: vec![answer], testimony: vec![] }
    };
    let same = InferRequest::try_from(question).expect("a question").inputs;
    let other = vec![Tensor::from_f32("x", vec![1], &[0.0]).expect("a tensor")];
    let attempts = vec![with(same), with(other), with(vec![])];
    let told = service().judge(Request::new(v1::JudgeRequest { task: vec![0; 32], attempts })).await;
    let verdicts = told.expect("judged").into_inner().verdicts.into_iter();
    let verdicts: Vec<_> = verdicts.map(|verdict| Judgement::try_from(verdict).expect("believed")).collect();
    let outcomes: Vec<_> = verdicts.iter().map(|verdict| verdict.reasons[0].outcome()).collect();
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Wrong, Outcome::Malformed]);
    let marks: Vec<_> = verdicts.iter().map(|verdict| verdict.mark.billionths()).collect();
    assert_eq!(marks, [1_000_000_000, 0, 0]);
}

#[tokio::test]
async fn requests_that_the_contract_does_not_allow_are_refused() {
    let refused =
        |request| async { service().draw(Request::new(request)).await.expect_err("refused").code() };
    let short = v1::Seed { seed: vec![0; 31], answers: vec![] };
    let request = |seeds| v1::DrawRequest { task: vec![0; 32], items: 2, seeds };
    assert_eq!(refused(request(vec![short.clone()])).await, tonic::Code::InvalidArgument);
    let many = vec![short; CHALLENGES_MAX as usize + 1];
    assert_eq!(refused(request(many)).await, tonic::Code::InvalidArgument);
    let bare = v1::JudgeRequest { task: vec![0; 32], attempts: vec![v1::Attempt::default()] };
    let told = service().judge(Request::new(bare)).await.expect_err("refused");
    assert_eq!(told.code(), tonic::Code::InvalidArgument);
}

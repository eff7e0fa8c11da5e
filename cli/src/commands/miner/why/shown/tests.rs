use expect_test::expect;
use weighhouse_scoring::policy::DEFAULT_POLICY;
use weighhouse_scoring::statement::statement;
use weighhouse_types::{
    Block, Epoch, EpochContext, Failure, Mark, Outcome, Rao, Reason, Record, SubnetPay, sample,
};

use super::*;

#[test]
fn money_comes_first_then_checks_then_reasons() {
    let epoch = Epoch(42);
    let state = sample::subnet(epoch, Block(100), (0..=2).map(sample::neuron).collect());
    let policy = DEFAULT_POLICY.as_bytes().to_vec();
    let mut records = vec![Record::EpochOpened(Box::new(EpochContext { policy, ..sample::context(state) }))];
    let accepted = || Reason::Conforms { items: 8 };
    let reasons = [
        accepted(),
        Reason::told(Outcome::Wrong, "too long"),
        accepted(),
        Reason::Silent { failure: Failure::Unreachable },
    ];
    for (round, reason) in (0..).zip(reasons) {
        let mark = if reason.outcome().is_praise() { Mark::MAX } else { Mark::ZERO };
        records.push(Record::Judged(sample::judged(epoch, round, 1, mark, reason)));
        records.push(Record::Judged(sample::judged(epoch, round, 2, Mark::MAX, accepted())));
    }
    let mut statement = statement(&records, Uid(1)).expect("judged");
    statement.pay =
        Some(SubnetPay { shown_in: Epoch(43), miners: Rao(3_000_000_000), own: Rao(900_000_000) });
    expect![[r#"
        epoch 42: 0.5000 of 1.5000 alpha lost over 4 answers, 0.2857 to `unreachable` over 1 answer, 0.2143 to `wrong` over 1 answer; without them this epoch would have paid 1.5000
          check        answers  marks    alpha  paid without it  first example                 means
          unreachable   1 of 4  -1.00  -0.2857           1.2857  round 3: silent: unreachable  unreachable
          wrong         1 of 4  -1.00  -0.2143           1.2857  round 1: wrong: too long      wrong
        reasons  2 of 4 answers within tolerance; 1 answer wrong (too long); silent 1 of 4 times: unreachable
        weight   32768 of 65535, from score 0.5000, average +0.5000
        chain    paid uid 1 0.9 alpha in all, by every validator's weights, and all miners 3"#]].assert_eq(&lines(&statement).join("\n"));
}

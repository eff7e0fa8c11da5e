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
    expect![[r#""#]].assert_eq(&lines(&statement).join("\n"));
}

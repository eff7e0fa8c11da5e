use super::*;
use crate::sample;

fn loss(check: &str, answers: u32, lost: i64) -> Loss {
    Loss {
        check: check.to_owned(),
        phrase: check.to_owned(),
        answers,
        marks: 0,
        lost,
        share_without: 0,
        example: None,
    }
}

/// A quarter of the weights, of 4 alpha.
fn statement(losses: Vec<Loss>) -> PayStatement {
    let lost: i64 = losses.iter().map(|loss| loss.lost).sum();
    PayStatement {
        genesis: Digest::default(),
        netuid: Netuid(1),
        mechanism: MechId(0),
        epoch: Epoch(42),
        validator: sample::registration(0).hotkey,
        uid: Uid(1),
        who: sample::registration(1),
        task: "generate".to_owned(),
        published: None,
        answers: 50,
        accepted_worth: Mark::MAX,
        carried: None,
        average: 0,
        score: 0,
        rating: "scored".to_owned(),
        reasons: String::new(),
        weight: Some(1),
        abstains: None,
        share: 250_000_000,
        share_without: 250_000_000_u64.saturating_add_signed(lost),
        losses,
        pay: Some(SubnetPay { shown_in: Epoch(43), miners: Rao(4_000_000_000), own: Rao(1_000_000_000) }),
        verdicts: Vec::new(),
        omitted: 0,
    }
}

#[test]
fn the_sentence_is_of_money() {
    let told = |losses| statement(losses).sentence();
    assert_eq!(told(vec![]), "epoch 42: nothing was lost over 50 answers; this epoch pays 1.0000 alpha");
    assert_eq!(
        told(vec![loss("wrong", 7, 77_500_000)]),
        "epoch 42: 0.3100 of 1.3100 alpha lost to `wrong` over 7 of 50 answers; without it this epoch would have paid 1.3100"
    );
    assert_eq!(
        told(vec![loss("wrong", 7, 50_000_000), loss("unreachable", 3, 25_000_000)]),
        "epoch 42: 0.3000 of 1.3000 alpha lost over 50 answers, 0.2000 to `wrong` over 7 answers, 0.1000 to `unreachable` over \
         3 answers; without them this epoch would have paid 1.3000"
    );
    assert_eq!(
        told(vec![loss("wrong", 7, 0)]),
        "epoch 42: nothing was lost, though 7 of 50 answers failed `wrong`; this epoch pays 1.0000 alpha"
    );
}

#[test]
fn without_figures_of_the_pay_it_is_of_shares() {
    let mut statement = statement(vec![loss("wrong", 7, 50_000_000)]);
    (statement.pay, statement.rating) = (None, "on_probation".to_owned());
    assert_eq!(
        statement.sentence(),
        "epoch 42: 5.00 of 30.00 % of the weights lost to `wrong` over 7 of 50 answers; without it this epoch would have paid \
         30.00; not paid: on probation"
    );
}

#[test]
fn the_miners_pay_leaves_out_what_validators_earn() {
    let mut neurons: Vec<_> = (0..4).map(sample::neuron).collect();
    let mut set = |uid: usize, incentive, dividends, emission| {
        (neurons[uid].incentive, neurons[uid].dividends, neurons[uid].emission) =
            (incentive, dividends, Rao(emission));
    };
    set(0, 0, 60_000, 900);
    set(1, 30_000, 0, 300);
    set(2, 15_000, 0, 150);
    // Mines as well: 100 of its 500 are for that.
    set(3, 10_000, 5_000, 500);
    let metagraph = Metagraph { neurons, ..sample::subnet(Epoch(1), Block(1), vec![]).metagraph };
    let pay = SubnetPay::of(Epoch(1), &metagraph, &sample::registration(2)).expect("paid");
    assert_eq!((pay.miners, pay.own), (Rao(550), Rao(150)));
    let gone = RegistrationId { registered_at: Block(11), ..sample::registration(2) };
    assert_eq!(SubnetPay::of(Epoch(1), &metagraph, &gone).expect("paid").own, Rao(0));
    let unpaid = sample::subnet(Epoch(1), Block(1), vec![sample::neuron(1)]).metagraph;
    assert_eq!(SubnetPay::of(Epoch(1), &unpaid, &sample::registration(1)), None);
}

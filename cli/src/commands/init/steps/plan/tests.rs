use std::path::Path;

use weighhouse_types::{
    Axon, Block, Coldkey, Epoch, Hotkey, Hyperparameters, Netuid, Neuron, Rao, SubnetState, Uid, sample,
};

use super::*;

const HOTKEY: Hotkey = Hotkey([5; 32]);
const COLDKEY: Coldkey = Coldkey([6; 32]);

fn facts(neurons: Vec<Neuron>) -> Facts {
    let mut state: SubnetState = sample::subnet(Epoch(3), Block(50), neurons);
    state.hyperparameters = Hyperparameters { max_allowed_validators: 1, ..Hyperparameters::default() };
    Facts {
        state,
        price: Rao(100_000_000),
        alpha_price: Some(Rao(500_000_000)),
        least: Rao(500),
        register_fee: Some(Rao(1_000)),
        stake_fee: Some(Rao(2_000)),
        free: Some(Rao(0)),
        regime: Regime::Plain,
    }
}

fn steps(role: Role, facts: Option<&Facts>, change: impl FnOnce(&mut Setup<'_>)) -> Vec<Step> {
    let address = "finney".parse().expect("a chain");
    let mut setup = Setup {
        role,
        file: Path::new("role.toml"),
        address: &address,
        genesis: None,
        netuid: Netuid(12),
        wallet_path: None,
        wallet: "w",
        hotkey_name: "h",
        coldkey: Some(COLDKEY),
        hotkey: Some(HOTKEY),
        axon: Some("8.8.4.4:8091".parse().expect("an address")),
    };
    change(&mut setup);
    plan(&setup, facts)
}

fn of<'a>(steps: &'a [Step], name: &str) -> &'a Step {
    steps.iter().find(|step| step.step == name).expect("a step")
}

fn own(stake: u64) -> Neuron {
    Neuron { hotkey: HOTKEY, stake: Rao(stake), axon: None, ..sample::neuron(1) }
}

#[test]
fn a_newcomer_is_told_every_cost_before_it_pays() {
    let facts = facts(vec![sample::neuron(0)]);
    let steps = steps(Role::Miner, Some(&facts), |setup| setup.hotkey = None);
    let states: Vec<_> = steps.iter().map(|step| (step.step, step.state)).collect();
    let (todo, look, done) = (StepState::Todo, StepState::Look, StepState::Done);
    assert_eq!(
        states,
        [
            ("wallet", todo),
            ("funds", todo),
            ("address", done),
            ("earnings", look),
            ("register", todo),
            ("check", look),
            ("serve", todo)
        ]
    );
    // 0.1 TAO, a fee of 1,000 rao and the 500 that stay.
    let funds = of(&steps, "funds");
    assert!(funds.detail.contains("0.1000015 are missing"), "{}", funds.detail);
    let register = of(&steps, "register");
    assert_eq!(register.cost_rao.as_deref(), Some("100001000"));
    assert_eq!(
        register.command.as_deref(),
        Some("weighhouse chain register --chain finney --netuid 12 --wallet w --hotkey h --limit 0.11")
    );
    assert_eq!(
        of(&steps, "wallet").command.as_deref(),
        Some("weighhouse wallet create --wallet w --hotkey h --hotkey-only")
    );
}

#[test]
fn what_is_done_is_told_as_done() {
    let axon = Axon::new("8.8.4.4:8091".parse().expect("an address"), 1, Block(9));
    let facts = facts(vec![sample::neuron(0), Neuron { axon: Some(axon), ..own(0) }]);
    let steps = steps(Role::Miner, Some(&facts), |_| {});
    for name in ["wallet", "funds", "address", "register", "serve"] {
        assert_eq!(of(&steps, name).state, StepState::Done, "{name}");
    }
    assert_eq!(of(&steps, "register").detail, "uid 1");
}

#[test]
fn a_validator_stakes_what_a_permit_takes_now_at_the_tokens_price() {
    let rival = Neuron { stake: Rao(9_000_000_000), ..sample::neuron(0) };
    let facts = facts(vec![rival, own(1_000_000_000)]);
    let steps = steps(Role::Validator, Some(&facts), |_| {});
    let stake = of(&steps, "stake");
    // 8 alpha at half a TAO, and the fee.
    assert_eq!((stake.state, stake.cost_rao.as_deref()), (StepState::Todo, Some("4000002000")));
    assert!(stake.command.as_deref().is_some_and(|command| command.ends_with("--amount 4")));
    assert!(of(&steps, "funds").detail.contains("4.0000025 TAO are needed"));
    assert_eq!(of(&steps, "validate").state, StepState::Todo);
    let enough = super::tests::facts(vec![
        Neuron { stake: Rao(2), ..sample::neuron(0) },
        Neuron { validator_permit: true, last_update: Block(40), ..own(3) },
    ]);
    let steps = super::tests::steps(Role::Validator, Some(&enough), |_| {});
    assert_eq!(of(&steps, "stake").state, StepState::Done);
    assert_eq!(of(&steps, "validate").state, StepState::Done);
    assert_eq!(enough.state.metagraph.neurons[1].uid, Uid(1));
}

#[test]
fn without_a_chain_the_steps_come_without_costs() {
    let steps = steps(Role::Validator, None, |_| {});
    assert!(steps.iter().all(|step| step.cost_rao.is_none()));
    for name in ["funds", "register", "stake", "validate"] {
        assert_eq!(of(&steps, name).state, StepState::Unknown, "{name}");
    }
}

#[test]
fn an_address_that_nobody_outside_can_dial_is_left_to_do() {
    for inside in [None, Some("10.0.0.7:8091")] {
        let axon = inside.map(|text| text.parse().expect("an address"));
        let steps = steps(Role::Miner, None, |setup| setup.axon = axon);
        assert_eq!(of(&steps, "address").state, StepState::Todo);
        assert!(of(&steps, "address").detail.contains("serve.external"));
    }
}

//! The steps that cost something, and what they cost.

use weighhouse_chain::explain::short_of_permit;
use weighhouse_types::{Rao, tao};

use super::step;
use crate::commands::init::steps::facts::Facts;
use crate::commands::init::steps::{Role, Setup, Step, StepState};

/// A tenth more than the price now: others may register before.
const LIMIT_PERCENT: u64 = 110;

/// What is still to be paid, by everything below.
fn needed(setup: &Setup<'_>, facts: &Facts) -> Rao {
    let mut all = 0_u64;
    if facts.neuron(setup).is_none() {
        all = facts.price.0.saturating_add(facts.register_fee.unwrap_or_default().0);
    }
    if setup.role == Role::Validator
        && let Some(missing) = missing_stake(setup, facts)
    {
        all = all.saturating_add(missing.0).saturating_add(facts.stake_fee.unwrap_or_default().0);
    }
    match all {
        0 => Rao(0),
        all => Rao(all.saturating_add(facts.least.0)),
    }
}

pub(super) fn funds(setup: &Setup<'_>, facts: Option<&Facts>) -> Step {
    let Some(facts) = facts else {
        let detail = "the coldkey pays for the steps below, and keeps its existential deposit";
        return step("funds", StepState::Unknown, detail.to_owned());
    };
    let needed = needed(setup, facts);
    if needed == Rao(0) {
        return step("funds", StepState::Done, "nothing is left to be paid".to_owned());
    }
    let asked = format!(
        "{} TAO are needed in all, {} of them to stay on the account",
        tao::format(needed),
        tao::format(facts.least)
    );
    let (Some(free), Some(coldkey)) = (facts.free, setup.coldkey) else {
        return step("funds", StepState::Unknown, format!("{asked}; there is no coldkey here to look at"));
    };
    let missing = Rao(needed.0.saturating_sub(free.0));
    let free = tao::format(free);
    if missing == Rao(0) {
        return step("funds", StepState::Done, format!("{free} TAO free on {coldkey}; {asked}"));
    }
    let amount = tao::format(missing);
    let command = format!(
        "weighhouse chain transfer --chain {} --wallet OTHER --to {coldkey} --amount {amount}",
        setup.chain()
    );
    let detail = format!("{free} TAO free on {coldkey}; {asked}: {amount} are missing");
    Step { command: Some(command), ..step("funds", StepState::Todo, detail) }
}

fn cost(price: Rao, fee: Option<Rao>) -> String {
    match fee {
        Some(Rao(0)) => format!("{} TAO, no fee", tao::format(price)),
        Some(fee) => format!("{} TAO and a fee of {}", tao::format(price), tao::format(fee)),
        None => format!("{} TAO and a fee that the chain doesn't tell before", tao::format(price)),
    }
}

pub(super) fn register(setup: &Setup<'_>, facts: Option<&Facts>) -> Step {
    let command = |limit: &str| {
        format!("weighhouse chain register {} {} --limit {limit}", setup.subnet(), setup.keys())
    };
    let Some(facts) = facts else {
        let detail = "burns the price of a registration from the coldkey".to_owned();
        return Step { command: Some(command("TAO")), ..step("register", StepState::Unknown, detail) };
    };
    if let Some(neuron) = facts.neuron(setup) {
        return step("register", StepState::Done, format!("uid {}", neuron.uid));
    }
    let rules = &facts.state.hyperparameters;
    if !rules.registration_allowed {
        let detail = "the subnet takes no registrations now".to_owned();
        return step("register", StepState::Todo, detail);
    }
    let limit = u128::from(facts.price.0) * u128::from(LIMIT_PERCENT) / 100;
    let limit = Rao(u64::try_from(limit).unwrap_or(u64::MAX));
    let detail = format!(
        "burns {}; each registration of others raises the price to {} %, and it halves in {} blocks",
        cost(facts.price, facts.register_fee),
        rules.burn_increase_percent,
        rules.burn_half_life
    );
    let whole = facts.price.0.saturating_add(facts.register_fee.unwrap_or_default().0);
    Step {
        command: Some(command(&tao::format(limit))),
        cost_rao: Some(whole.to_string()),
        ..step("register", StepState::Todo, detail)
    }
}

/// TAO to be staked for a permit, at the token's price; `None` where the stake is enough.
fn missing_stake(setup: &Setup<'_>, facts: &Facts) -> Option<Rao> {
    let own = facts.neuron(setup).map_or(Rao(0), |neuron| neuron.stake);
    let of_permit = short_of_permit(&facts.state, own).unwrap_or_default();
    let of_threshold = facts.state.hyperparameters.stake_threshold.0.saturating_sub(own.0);
    let missing = of_permit.0.max(of_threshold);
    let price = facts.alpha_price.unwrap_or(Rao(Rao::PER_TAO));
    let amount = (u128::from(missing) * u128::from(price.0)).div_ceil(u128::from(Rao::PER_TAO));
    (missing > 0).then(|| Rao(u64::try_from(amount).unwrap_or(u64::MAX)))
}

pub(super) fn stake(setup: &Setup<'_>, facts: Option<&Facts>) -> Step {
    let command = |amount: &str| {
        format!("weighhouse chain stake {} {} --amount {amount}", setup.subnet(), setup.keys())
    };
    let Some(facts) = facts else {
        let detail = "stake for a validator permit; it stays yours".to_owned();
        return Step { command: Some(command("TAO")), ..step("stake", StepState::Unknown, detail) };
    };
    let neuron = facts.neuron(setup);
    let Some(missing) = missing_stake(setup, facts) else {
        let permit = match neuron {
            Some(neuron) if neuron.validator_permit => "and has a permit",
            _ => "and gets a permit at the next epoch",
        };
        let own = neuron.map_or(Rao(0), |neuron| neuron.stake);
        let detail = format!("the hotkey votes with {} alpha {permit}", tao::format(own));
        return step("stake", StepState::Done, detail);
    };
    let detail = format!(
        "stakes {}: among the stakes that get a permit at the next epoch; it stays yours, and others may stake more",
        cost(missing, facts.stake_fee)
    );
    let whole = missing.0.saturating_add(facts.stake_fee.unwrap_or_default().0);
    Step {
        command: Some(command(&tao::format(missing))),
        cost_rao: Some(whole.to_string()),
        ..step("stake", StepState::Todo, detail)
    }
}

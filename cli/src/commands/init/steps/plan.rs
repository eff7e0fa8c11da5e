//! The steps in their order, from the configuration and what the chain says.

mod paid;

use weighhouse_chain::explain::Regime;

use super::facts::Facts;
use super::{Role, Setup, Step, StepState};
use crate::commands::chain_option;
use crate::commands::init::carry::is_dialled_from_outside;
use paid::{funds, register, stake};

#[cfg(test)]
mod tests;

pub(super) fn plan(setup: &Setup<'_>, facts: Option<&Facts>) -> Vec<Step> {
    let mut steps = vec![wallet(setup), funds(setup, facts)];
    if setup.role == Role::Miner {
        steps.push(address(setup));
        steps.push(look("earnings", "what this miner would earn; free", setup.of_role("earnings")));
    }
    steps.push(register(setup, facts));
    if setup.role == Role::Validator {
        steps.push(stake(setup, facts));
    }
    steps.push(look("check", "tries everything that starting needs; free", setup.of_role("check")));
    steps.push(match setup.role {
        Role::Miner => serve(setup, facts),
        Role::Validator => validate(setup, facts),
    });
    steps
}

impl Setup<'_> {
    /// A command of the role on its configuration.
    fn of_role(&self, verb: &str) -> String {
        format!("weighhouse {} {verb} --config {}", self.role.name(), self.file.display())
    }

    /// The options that name wallet and hotkey.
    fn keys(&self) -> String {
        let path =
            self.wallet_path.map_or(String::new(), |path| format!(" --wallet-path {}", path.display()));
        format!("--wallet {} --hotkey {}{path}", self.wallet, self.hotkey_name)
    }

    /// The options that name the subnet.
    fn subnet(&self) -> String {
        format!("--chain {} --netuid {}", self.chain(), self.netuid)
    }

    fn chain(&self) -> String {
        chain_option(self.address)
    }
}

fn step(name: &'static str, state: StepState, detail: String) -> Step {
    Step { step: name, state, detail, command: None, cost_rao: None }
}

fn look(name: &'static str, detail: &str, command: String) -> Step {
    Step { command: Some(command), ..step(name, StepState::Look, detail.to_owned()) }
}

fn wallet(setup: &Setup<'_>) -> Step {
    let create = |only: &str| Some(format!("weighhouse wallet create {}{only}", setup.keys()));
    let free = "; free, and nothing goes to the chain";
    match (setup.coldkey, setup.hotkey) {
        (Some(_), Some(hotkey)) => step("wallet", StepState::Done, format!("hotkey {hotkey}")),
        (_, None) => {
            let only = if setup.coldkey.is_some() { " --hotkey-only" } else { "" };
            let detail = format!("no hotkey {:?} in wallet {:?}{free}", setup.hotkey_name, setup.wallet);
            Step { command: create(only), ..step("wallet", StepState::Todo, detail) }
        }
        (None, Some(hotkey)) => {
            let detail = format!("hotkey {hotkey}; the coldkey, which pays, is on another machine");
            step("wallet", StepState::Done, detail)
        }
    }
}

fn address(setup: &Setup<'_>) -> Step {
    let hint = format!("set `serve.external` in {} to what validators dial, and open the port", {
        setup.file.display()
    });
    match setup.axon {
        None => step("address", StepState::Todo, format!("no address to publish: {hint}; free")),
        Some(axon) if setup.address.is_subtensor() && !is_dialled_from_outside(axon.ip()) => {
            step("address", StepState::Todo, format!("nobody outside can dial {axon}: {hint}; free"))
        }
        Some(axon) => step("address", StepState::Done, format!("{axon}")),
    }
}

fn serve(setup: &Setup<'_>, facts: Option<&Facts>) -> Step {
    let command = Some(setup.of_role("run"));
    let published = facts.and_then(|facts| facts.neuron(setup)).and_then(|neuron| neuron.axon);
    let published = published.map(|axon| axon.address());
    match (facts, published) {
        (_, Some(found)) if setup.axon.is_none_or(|axon| axon == found) => {
            step("serve", StepState::Done, format!("axon {found} is published"))
        }
        (Some(facts), other) => {
            let rate = facts.state.hyperparameters.serving_rate_limit;
            let now = other.map_or(String::new(), |found| format!("; the chain has {found} now"));
            let detail = format!("publishes the axon, which is free, at most once in {rate} blocks{now}");
            Step { command, ..step("serve", StepState::Todo, detail) }
        }
        (None, _) => Step {
            command,
            ..step("serve", StepState::Unknown, "publishes the axon, which is free".to_owned())
        },
    }
}

fn validate(setup: &Setup<'_>, facts: Option<&Facts>) -> Step {
    let command = Some(setup.of_role("run"));
    let Some(facts) = facts else {
        return Step { command, ..step("validate", StepState::Unknown, "publishes weights".to_owned()) };
    };
    let rules = &facts.state.hyperparameters;
    let way = match facts.regime {
        Regime::Plain => "plainly".to_owned(),
        Regime::Timelocked { reveal_period, .. } => {
            format!("timelocked, opened {reveal_period} epochs later")
        }
        Regime::Hashed { reveal_period } => format!("as a hash, revealed {reveal_period} epochs later"),
    };
    let rate = rules.weights_set_rate_limit;
    let detail = format!("publishes weights {way}, at most once in {rate} blocks");
    let registered = facts.neuron(setup).map(|neuron| (neuron.last_update, neuron.registered_at));
    // Registering counts as an update, and only weights come later.
    let state = match registered {
        Some((last_update, registered_at)) if last_update > registered_at => StepState::Done,
        _ => StepState::Todo,
    };
    Step { command: command.filter(|_| state == StepState::Todo), ..step("validate", state, detail) }
}

//! `weighhouse chain metagraph`, `hyperparameters` and `balance`: what a chain holds.

use clap::Args;
use weighhouse_chain::Call;
use weighhouse_types::{Coldkey, Hyperparameters, Netuid};

use super::Endpoint;
use crate::commands::keys::{WalletArgs, wallet_failure};
use crate::commands::{chain_failure, connect};
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table, tao};

#[derive(Args, Debug)]
pub(crate) struct SubnetArgs {
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SetHyperparameters {
    #[command(flatten)]
    subnet: SubnetArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Set one, signed by the owner's coldkey; repeat for more
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Balance {
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    endpoint: Endpoint,
    /// This address instead of the wallet's
    #[arg(long, value_name = "SS58")]
    coldkey: Option<Coldkey>,
    #[arg(long)]
    json: bool,
}

pub(super) async fn metagraph(args: &SubnetArgs) -> Result<(), Failure> {
    let chain = connect(&args.endpoint.address, args.endpoint.genesis_hash).await?;
    let state = chain.subnet(args.netuid).await.map_err(chain_failure)?;
    if args.json {
        return Ok(output::json(&state)?);
    }
    let next =
        state.schedule.next_epoch_block().map_or_else(|| "never".to_owned(), |block| block.to_string());
    output::line(format!(
        "subnet {} at block {}, epoch {}, next epoch at block {next}",
        args.netuid, state.head.number, state.schedule.epoch
    ))?;
    let mut table = Table::new(&[
        "uid",
        "<hotkey",
        "stake (TAO)",
        "<permit",
        "incentive",
        "dividends",
        "vtrust",
        "emission",
        "updated",
        "<axon",
    ]);
    let fraction = |value: u16| format!("{:.4}", f64::from(value) / f64::from(u16::MAX));
    for neuron in &state.metagraph.neurons {
        table.row(vec![
            neuron.uid.to_string(),
            neuron.hotkey.to_string(),
            tao(neuron.stake.0),
            if neuron.validator_permit { "yes".into() } else { String::new() },
            fraction(neuron.incentive),
            fraction(neuron.dividends),
            fraction(neuron.validator_trust),
            tao(neuron.emission.0),
            neuron.last_update.to_string(),
            neuron.axon.map_or_else(String::new, |axon| axon.address().to_string()),
        ]);
    }
    Ok(table.print()?)
}

pub(super) async fn hyperparameters(args: &SetHyperparameters) -> Result<(), Failure> {
    let chain = connect(&args.subnet.endpoint.address, args.subnet.endpoint.genesis_hash).await?;
    let netuid = args.subnet.netuid;
    let mut present = chain.subnet(netuid).await.map_err(chain_failure)?.hyperparameters;
    if !args.set.is_empty() {
        present = changed(&present, &args.set)?;
        let coldkey = args.wallet.open_coldkey()?;
        let call = Call::SetHyperparameters { netuid, hyperparameters: Box::new(present.clone()) };
        output::note("waiting for the call to be final ...");
        chain.execute(&coldkey, call).await.map_err(chain_failure)?;
    }
    if args.subnet.json {
        return Ok(output::json(&present)?);
    }
    let text = toml::to_string(&present).exit(Exit::Internal, "hyperparameters")?;
    Ok(output::line(text.trim_end())?)
}

/// Applies NAME=VALUE pairs by way of TOML, so that names and types are checked like a file's.
fn changed(present: &Hyperparameters, pairs: &[String]) -> Result<Hyperparameters, Failure> {
    let mut table = toml::Table::try_from(present).exit(Exit::Internal, "hyperparameters")?;
    for pair in pairs {
        let one: toml::Table =
            toml::from_str(pair).exit(Exit::Config, format!("--set {pair}: write it as NAME=VALUE"))?;
        table.extend(one);
    }
    weighhouse_types::config::parse(&table.to_string()).exit(Exit::Config, "--set")
}

pub(super) async fn balance(args: &Balance) -> Result<(), Failure> {
    let coldkey = match args.coldkey {
        Some(coldkey) => coldkey,
        None => args.wallet.folder()?.coldkey().map_err(wallet_failure)?,
    };
    let chain = connect(&args.endpoint.address, args.endpoint.genesis_hash).await?;
    let free = chain.balance(coldkey).await.map_err(chain_failure)?;
    if args.json {
        return Ok(output::json(&serde_json::json!({ "coldkey": coldkey, "free_rao": free.0.to_string() }))?);
    }
    Ok(output::line(format!("{} TAO free on {coldkey}", tao(free.0)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_hyperparameter_is_refused_with_the_nearest() {
        let error =
            changed(&Hyperparameters::default(), &["tempoo=10".into()]).expect_err("unknown").to_string();
        assert!(error.contains("did you mean `tempo`?"), "{error}");
        let set = changed(&Hyperparameters::default(), &["tempo=10".into()]).expect("known");
        assert_eq!(set.tempo, 10);
    }
}

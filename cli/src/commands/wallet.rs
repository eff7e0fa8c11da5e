//! `weighhouse wallet`: make, bring in, list, sign, verify.

mod list;

use std::io::Read;

use clap::{Args, Subcommand};
use serde::Serialize;
use weighhouse_seams::Entropy;
use weighhouse_types::{Coldkey, Hotkey};
use weighhouse_wallet::folder::{Folder, Protect};
use weighhouse_wallet::keypair::{self, Keypair};
use weighhouse_wallet::{Overwrite, coldkey};

use super::keys::{WalletArgs, WalletsDir, new_password, wallet_failure};
use crate::failure::{Context, Exit, Failure};
use crate::output;

/// Make, import, list and use keys (Bittensor's wallet folders).
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  weighhouse wallet create --wallet validator
  weighhouse wallet import --wallet miner --no-password < words.txt
  weighhouse wallet import --wallet cold --coldkey-only < words.txt
  weighhouse wallet import --wallet watched --address 5F...
  weighhouse wallet list --json
  weighhouse wallet sign --wallet validator 'a message'")]
pub(crate) enum WalletCommand {
    /// Make a wallet: a coldkey under a password, and a hotkey in the clear
    Create(Create),
    /// Bring in or regenerate keys: words, a seed (0x...) or a key URI (such as //Alice) from standard input
    #[command(visible_alias = "regenerate")]
    Import(Import),
    /// List wallets, hotkeys and addresses
    List(list::List),
    /// Sign a message with a hotkey, or with the coldkey
    Sign(Sign),
    /// Check a signature
    Verify(Verify),
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    #[command(flatten)]
    wallet: WalletArgs,
    /// Keep the coldkey in the clear
    #[arg(long)]
    no_password: bool,
    /// Add only a hotkey to a wallet that exists
    #[arg(long)]
    hotkey_only: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    #[command(flatten)]
    wallet: WalletArgs,
    /// Import only the hotkey, or derive both keys from the same words
    #[arg(long)]
    hotkey_only: bool,
    /// Import only the coldkey
    #[arg(long, conflicts_with = "hotkey_only")]
    coldkey_only: bool,
    /// Nothing but the coldkey's address, for a wallet that can't sign on this machine
    #[arg(long, value_name = "SS58", conflicts_with_all = ["hotkey_only", "coldkey_only", "no_password"])]
    address: Option<Coldkey>,
    /// Keep the coldkey in the clear
    #[arg(long)]
    no_password: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Sign {
    #[command(flatten)]
    wallet: WalletArgs,
    message: String,
    /// With the coldkey; asks for its password
    #[arg(long)]
    coldkey: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Signer's address
    #[arg(long, value_name = "SS58")]
    address: Hotkey,
    /// The signature, hexadecimal
    #[arg(long, value_name = "HEX")]
    signature: String,
    message: String,
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct CreatedKey {
    wallet: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    coldkey: Option<Coldkey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hotkey: Option<Hotkey>,
    /// Shown once, kept nowhere but in the keyfile.
    #[serde(skip_serializing_if = "Option::is_none")]
    coldkey_words: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hotkey_words: Option<String>,
}

pub(crate) fn run(command: WalletCommand) -> Result<(), Failure> {
    match command {
        WalletCommand::Create(args) => create(&args),
        WalletCommand::Import(args) => import(&args),
        WalletCommand::List(args) => list::run(&args),
        WalletCommand::Sign(args) => sign(&args),
        WalletCommand::Verify(args) => verify(&args),
    }
}

fn create(args: &Create) -> Result<(), Failure> {
    let folder = args.wallet.folder()?;
    let hotkey_name = &args.wallet.hotkey;
    refuse_existing(&folder, Some(hotkey_name), !args.hotkey_only)?;
    let mut made = CreatedKey {
        wallet: args.wallet.wallet.clone(),
        coldkey: None,
        hotkey: None,
        coldkey_words: None,
        hotkey_words: None,
    };
    if !args.hotkey_only {
        let (words, keypair) = Keypair::generate(&mut Entropy::system());
        save_coldkey(&folder, &keypair, &args.wallet.at, args.no_password)?;
        made.coldkey = Some(keypair.coldkey());
        made.coldkey_words = Some(words.to_string());
    }
    let (words, keypair) = Keypair::generate(&mut Entropy::system());
    save_hotkey(&folder, hotkey_name, &keypair)?;
    made.hotkey = Some(keypair.hotkey());
    made.hotkey_words = Some(words.to_string());
    show(&made, hotkey_name, args.json)
}

fn import(args: &Import) -> Result<(), Failure> {
    let folder = args.wallet.folder()?;
    let brings_hotkey = !args.coldkey_only && args.address.is_none();
    let hotkey_name = brings_hotkey.then_some(&args.wallet.hotkey);
    refuse_existing(&folder, hotkey_name, !args.hotkey_only)?;
    let mut made = CreatedKey {
        wallet: args.wallet.wallet.clone(),
        coldkey: args.address,
        hotkey: None,
        coldkey_words: None,
        hotkey_words: None,
    };
    if let Some(address) = &args.address {
        folder.save_coldkey_public(address, Overwrite::Never).map_err(wallet_failure)?;
        return show(&made, &args.wallet.hotkey, args.json);
    }
    let mut text = String::new();
    std::io::stdin()
        .take(4096)
        .read_to_string(&mut text)
        .exit(Exit::Config, "reading words from standard input")?;
    let keypair = imported(text.trim())?;
    if !args.hotkey_only {
        save_coldkey(&folder, &keypair, &args.wallet.at, args.no_password)?;
        made.coldkey = Some(keypair.coldkey());
    }
    if let Some(name) = hotkey_name {
        save_hotkey(&folder, name, &keypair)?;
        made.hotkey = Some(keypair.hotkey());
    }
    show(&made, &args.wallet.hotkey, args.json)
}

/// Absent words never mean the development phrase: a file that wasn't there would become a key that everybody has.
fn imported(text: &str) -> Result<Keypair, Failure> {
    if text.is_empty() {
        return Err(Failure::config(
            "standard input is empty: nothing was imported; give it words, a seed (0x...) or a key URI",
        ));
    }
    let keypair =
        Keypair::from_uri(text).exit(Exit::Config, "standard input holds no words, seed or key URI")?;
    if Keypair::is_public_uri(text) {
        output::note("this key is below the public development phrase: anybody can sign with it");
    }
    Ok(keypair)
}

/// All keys are looked at before any is written: half a wallet helps nobody.
fn refuse_existing(folder: &Folder, hotkey: Option<&String>, coldkey: bool) -> Result<(), Failure> {
    let hotkey = hotkey.map(|name| folder.hotkey_path(name).map_err(wallet_failure)).transpose()?;
    let cold = ["coldkey", "coldkeypub.txt"].map(|name| coldkey.then(|| folder.path().join(name)));
    let taken = hotkey.into_iter().chain(cold.into_iter().flatten()).find(|path| path.exists());
    match taken {
        Some(path) => Err(Failure::config(format!(
            "{}: exists already and was left as it is; choose another name, or --hotkey-only with a new --hotkey",
            path.display()
        ))),
        None => Ok(()),
    }
}

fn save_coldkey(folder: &Folder, keypair: &Keypair, at: &WalletsDir, plain: bool) -> Result<(), Failure> {
    if plain {
        return coldkey::save(folder, keypair, Protect::Plain, Overwrite::Never).map_err(wallet_failure);
    }
    let password = new_password(at, "the coldkey")?;
    output::note("encrypting the coldkey (a few seconds, 512 MiB) ...");
    let entropy = Entropy::system();
    let protect = Protect::Password(&password, &entropy);
    coldkey::save(folder, keypair, protect, Overwrite::Never).map_err(wallet_failure)
}

fn save_hotkey(folder: &Folder, name: &str, keypair: &Keypair) -> Result<(), Failure> {
    folder.save_hotkey(name, keypair, Protect::Plain, Overwrite::Never).map_err(wallet_failure)
}

fn show(made: &CreatedKey, hotkey_name: &str, json: bool) -> Result<(), Failure> {
    if json {
        return Ok(output::json(made)?);
    }
    if let Some(coldkey) = &made.coldkey {
        output::line(format!("coldkey  {coldkey}  {}", made.wallet))?;
    }
    if let Some(hotkey) = &made.hotkey {
        output::line(format!("hotkey   {hotkey}  {}/{hotkey_name}", made.wallet))?;
    }
    for (key, words) in [("coldkey", &made.coldkey_words), ("hotkey", &made.hotkey_words)] {
        if let Some(words) = words {
            output::line(format!("{key} words, shown once; write them down: {words}"))?;
        }
    }
    Ok(())
}

fn sign(args: &Sign) -> Result<(), Failure> {
    let keypair = if args.coldkey { args.wallet.open_coldkey()? } else { args.wallet.open_hotkey()? };
    let signature = const_hex::encode(keypair.sign(args.message.as_bytes()));
    if args.json {
        return Ok(output::json(
            &serde_json::json!({ "address": keypair.hotkey(), "signature": signature }),
        )?);
    }
    Ok(output::line(signature)?)
}

fn verify(args: &Verify) -> Result<(), Failure> {
    let signature = const_hex::decode(&args.signature).exit(Exit::Config, "--signature")?;
    let checked = keypair::verify(args.address.as_bytes(), args.message.as_bytes(), &signature);
    if args.json {
        output::json(&serde_json::json!({ "valid": checked.is_ok() }))?;
    } else if checked.is_ok() {
        output::line("valid")?;
    }
    checked.exit(Exit::Denied, "not valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_import_is_no_key() {
        for text in ["", "///", "///password"] {
            assert_eq!(imported(text).expect_err("refused").exit, Exit::Config, "{text:?}");
        }
        assert!(imported("//Alice").is_ok());
    }
}

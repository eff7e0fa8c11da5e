//! `weighhouse wallet list`.

use clap::Args;
use serde::Serialize;
use weighhouse_types::{Coldkey, Hotkey};
use weighhouse_wallet::coldkey;
use weighhouse_wallet::folder::Folder;
use weighhouse_wallet::inspect::{Inspected, KeyState};

use crate::commands::keys::{WalletsDir, wallet_failure};
use crate::failure::Failure;
use crate::output::{self, Table};

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    at: WalletsDir,
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Entry {
    wallet: String,
    coldkey: Option<Coldkey>,
    coldkey_state: KeyState,
    #[serde(skip_serializing_if = "Option::is_none")]
    coldkey_problem: Option<String>,
    hotkeys: Vec<Listed>,
    /// Cause for which the hotkeys can't be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    /// Absent where the public file is missing and the keyfile is encrypted or unreadable.
    hotkey: Option<Hotkey>,
    state: KeyState,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(super) fn run(args: &List) -> Result<(), Failure> {
    let base = args.at.base();
    let names = Folder::wallets(&base).map_err(wallet_failure)?;
    let folders =
        names.into_iter().map(|name| Ok((Folder::new(&base, &name).map_err(wallet_failure)?, name)));
    let all = folders.map(|folder| folder.map(|(folder, name)| entry(&folder, name)));
    let all = all.collect::<Result<Vec<_>, Failure>>()?;
    if args.json {
        return Ok(output::json(&all)?);
    }
    if all.is_empty() {
        output::note(format!("no wallets in {}", base.display()));
    }
    let mut table = Table::new(&["<wallet", "<key", "<address"]);
    for listed in all {
        let address = listed.coldkey.map(|key| key.to_string());
        let coldkey = shown(address, listed.coldkey_state, listed.coldkey_problem.as_deref());
        table.row(vec![listed.wallet, "coldkey".into(), coldkey]);
        for hotkey in listed.hotkeys {
            let address = hotkey.hotkey.map(|key| key.to_string());
            let address = shown(address, hotkey.state, hotkey.problem.as_deref());
            table.row(vec![String::new(), hotkey.name, address]);
        }
        if let Some(problem) = listed.problem {
            table.row(vec![String::new(), "hotkeys".into(), format!("({problem})")]);
        }
    }
    Ok(table.print()?)
}

/// One wallet. A broken one hides none of the others.
fn entry(folder: &Folder, wallet: String) -> Entry {
    let cold = coldkey::inspect(folder);
    let inspected = folder.hotkeys().and_then(|names| {
        let seen = |name: String| Ok((folder.inspect_hotkey(&name)?, name));
        names.into_iter().map(seen).collect::<Result<Vec<_>, _>>()
    });
    let (hotkeys, problem) = match inspected {
        Ok(hotkeys) => (hotkeys, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let listed = |(seen, name): (Inspected, String)| Listed {
        name,
        hotkey: seen.public.map(Hotkey),
        state: seen.state,
        problem: seen.problem,
    };
    Entry {
        wallet,
        coldkey: cold.public.map(Coldkey),
        coldkey_state: cold.state,
        coldkey_problem: cold.problem,
        hotkeys: hotkeys.into_iter().map(listed).collect(),
        problem,
    }
}

/// The address, and what keeps the key from being used.
fn shown(address: Option<String>, state: KeyState, problem: Option<&str>) -> String {
    let remark = match (state, problem) {
        (_, Some(problem)) => format!("({problem})"),
        (KeyState::Absent, _) => "(none)".to_owned(),
        (KeyState::Encrypted, _) if address.is_none() => "(encrypted, no public file)".to_owned(),
        (KeyState::PublicOnly, _) => "(address only)".to_owned(),
        _ => String::new(),
    };
    [address.unwrap_or_default(), remark].join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_is_shown_as_itself() {
        let address = || Some("5F".to_owned());
        assert_eq!(shown(address(), KeyState::Plain, None), "5F");
        assert_eq!(shown(address(), KeyState::Encrypted, None), "5F");
        assert_eq!(shown(None, KeyState::Encrypted, None), "(encrypted, no public file)");
        assert_eq!(shown(None, KeyState::Absent, None), "(none)");
        assert_eq!(shown(address(), KeyState::PublicOnly, None), "5F (address only)");
        assert_eq!(shown(None, KeyState::Empty, Some("an empty file")), "(an empty file)");
        assert_eq!(shown(address(), KeyState::Broken, Some("cut short")), "5F (cut short)");
    }
}
